import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { runTestFile, type FileResult } from './test-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-runner-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const head = `import assert from 'node:assert/strict';\nimport { describe, test } from 'node:test';\n`;

/** Runs `body` as a test file. @param timeout milliseconds. */
function runBody(name: string, body: string, timeout = 60_000): Promise<FileResult> {
  const file = join(folder, `${name}.test.ts`);
  writeFileSync(file, head + body);
  return runTestFile(file, timeout);
}

test('counts the tests, not the groups around them', async () => {
  const result = await runBody(
    'groups',
    `describe('a group', () => {
      test('passes', (t) => t.diagnostic('ran 7 rounds'));
      test('fails', () => assert.equal(1, 2));
      test.skip('is skipped', () => {});
    });
    test('outer', (t) => t.test('inner', () => console.log('printed')));`,
  );
  assert.deepEqual(result.tally, { passed: 2, failed: 1, skipped: 1 });
  assert.equal(result.failures[0]?.title, 'fails');
  assert.match(result.failures[0]?.error ?? '', /1 !== 2/);
  assert.deepEqual(result.notes, ['ran 7 rounds']);
  assert.match(result.output, /printed/);
});

test('a group that fails by itself counts as a failure', async () => {
  const result = await runBody(
    'hook',
    `import { before } from 'node:test';
    describe('a group', () => {
      before(() => { throw new Error('no server'); });
      test('never gets to run', () => {});
    });`,
  );
  assert.ok(result.tally.failed > 0);
  assert.ok(result.failures.some(({ error }) => error.includes('no server')));
});

const wrongEnds: [name: string, body: string, error: RegExp][] = [
  ['has no test', `console.log('nothing here');`, /ran no test to its end/],
  ['does not load', `import './missing.ts';`, /code 1 before its tests did/],
  [
    'exits early',
    `test('first', () => {}); test('second', () => process.exit(0));`,
    /code 0 before its tests did|no test to its end/,
  ],
  ['is killed', `test('only', () => process.kill(process.pid, 'SIGKILL'));`, /SIGKILL/],
];
for (const [name, body, error] of wrongEnds) {
  test(`a file fails when it ${name}`, async () => {
    const result = await runBody(name.replaceAll(' ', '-'), body);
    assert.equal(result.tally.failed, 1);
    assert.match(result.failures[0]?.error ?? '', error);
  });
}

test('a file that hangs is killed together with what it started', async () => {
  const result = await runBody(
    'hangs',
    `import { spawn } from 'node:child_process';
    test('waits for ever', () => {
      console.log('child ' + spawn('sleep', ['60']).pid);
      return new Promise(() => setInterval(() => {}, 1000));
    });`,
    4000,
  );
  assert.match(result.failures.at(-1)?.error ?? '', /did not end within 4 s/);
  const pid = Number(/child (\d+)/.exec(result.output)?.[1]);
  assert.ok(pid > 0, result.output);
  for (let round = 0; round < 100 && !isDead(pid); round += 1) await setTimeout(20);
  assert.ok(isDead(pid), `process ${pid} still runs`);
});

/** A process whose parent has not yet asked how it ended still has an entry, in state Z. */
function isDead(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}
