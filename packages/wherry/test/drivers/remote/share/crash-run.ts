import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));
const PROCESSES = 4;
const POLL_MS = 20;
const WAIT_MAX_MS = 30_000;

/** What a run came to. */
export interface CrashRun {
  readonly confirmed: number;
  readonly handled: number;
  /** Messages that were handled more than once, as happens to those whose handler was killed. */
  readonly again: number;
  /** Sends that were answered with an error: whether they took effect is not known. */
  readonly failed: number;
  readonly kills: { readonly owners: number; readonly clients: number };
}

interface Worker {
  readonly name: string;
  readonly child: ChildProcess;
  readonly lines: Interface;
}

/** Four processes share a folder under load; one after the other is killed, and begun anew. */
export async function runCrashes(kills: number, msBetween: number): Promise<CrashRun> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-share-'));
  const journal = join(folder, 'journal');
  const store = join(folder, 'store');
  const workers: Worker[] = [];
  let begun = 0;
  const begin = async (): Promise<Worker> => {
    begun += 1;
    const name = `p${begun}`;
    const child = spawn(process.execPath, ['--import', 'tsx', WORKER, store, journal, name], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const worker = { name, child, lines: createInterface({ input: child.stdout }) };
    workers.push(worker);
    await until(() => linesOf(journal).some((line) => line.startsWith(`open ${name} `)));
    return worker;
  };
  const killed = new Map<string, number>();
  let owners = 0;
  try {
    for (let i = 0; i < PROCESSES; i += 1) await begin();
    for (let i = 0; i < kills; i += 1) {
      await pause(msBetween);
      // The oldest: the owner first, and whoever has followed it before long.
      const [victim] = workers.splice(0, 1) as [Worker];
      if (ownerPid(store) === victim.child.pid) owners += 1;
      victim.child.kill('SIGKILL');
      await once(victim.child, 'exit');
      killed.set(victim.name, Date.now());
      await begin();
    }
    for (const { child, lines } of workers) {
      child.stdin!.write('stop\n');
      await once(lines, 'line');
    }
    const [last] = workers as [Worker];
    await until(async () => {
      last.child.stdin!.write('count\n');
      const [count] = (await once(last.lines, 'line')) as [string];
      return count === '0';
    });
    for (const { child } of workers) {
      const exit = once(child, 'exit');
      child.stdin!.write('end\n');
      const [code] = (await exit) as [number | null];
      assert.equal(code, 0);
    }
    return judge(linesOf(journal), killed, { owners, clients: kills - owners });
  } finally {
    for (const { child } of workers) if (child.exitCode === null) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

/** Nothing confirmed is unhandled, and no message was in two hands at once. */
function judge(
  lines: readonly string[],
  killed: ReadonlyMap<string, number>,
  kills: CrashRun['kills'],
): CrashRun {
  const words = lines.map((line) => line.split(' '));
  const confirmed = words.filter(([what]) => what === 'sent').map(([, payload]) => payload!);
  const ends = words.filter(([what]) => what === 'end').map(([, , payload]) => payload!);
  const handled = new Set(ends);
  const lost = confirmed.filter((payload) => !handled.has(payload));
  assert.deepEqual(lost, [], 'confirmed and never handled');
  refuseTwoHolders(words, killed);
  return {
    confirmed: confirmed.length,
    handled: handled.size,
    again: ends.length - handled.size,
    failed: words.filter(([what]) => what === 'failed').length,
    kills,
  };
}

function refuseTwoHolders(words: string[][], killed: ReadonlyMap<string, number>): void {
  /** By message: who has it in hand. */
  const holders = new Map<string, Set<string>>();
  for (const [what, name, , id, time] of words) {
    if (what !== 'begin' && what !== 'end') continue;
    const holding = holders.get(id!) ?? new Set();
    holders.set(id!, holding);
    if (what === 'end') holding.delete(name!);
    else {
      const others = [...holding].filter((other) => (killed.get(other) ?? Infinity) > Number(time));
      assert.deepEqual(others, [], `message ${id} is in the hands of ${name} and others`);
      holding.add(name!);
    }
  }
}

function ownerPid(store: string): number | null {
  const file = join(store, 'data.mdb');
  if (!existsSync(file)) return null;
  const [, pid] = /"pid":(\d+)/.exec(readFileSync(file, 'latin1')) ?? [];
  return pid === undefined ? null : Number(pid);
}

function linesOf(journal: string): string[] {
  if (!existsSync(journal)) return [];
  return readFileSync(journal, 'utf8').split('\n').slice(0, -1);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MAX_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'it did not come to that');
    await pause(POLL_MS);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
