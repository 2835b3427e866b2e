import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Command } from 'commander';
import { EXIT_CODE_MEANINGS } from '../../src/cli/exit-codes.ts';
import { CommandLine } from '../../src/cli/invocation.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { Readable } from 'node:stream';
import { Capture, TestStore } from './harness.ts';

const store = new TestStore();

function leafCommands(command: Command, path: string[] = []): string[][] {
  const below = command.commands.filter((sub) => sub.name() !== 'help');
  if (below.length === 0) return [path];
  return below.flatMap((sub) => leafCommands(sub, [...path, sub.name()]));
}

function allCommands(): string[][] {
  const io = { stdin: Readable.from([]), stdout: new Capture(), stderr: new Capture(), env: {} };
  return leafCommands(buildProgram(new CommandLine(io), { json: false, color: false }));
}

test('every command has help with examples that begin with it', async () => {
  const commands = allCommands();
  assert.equal(commands.length, 40);
  for (const path of commands) {
    const help = await store.ok([...path, '--help']);
    assert.match(help, /^Usage: wherry /);
    assert.match(
      help,
      new RegExp(`^Examples:\\n  # .+\\n  .*wherry ${path.join(' ')}`, 'm'),
      path.join(' '),
    );
  }
});

test('the program tells its version and its exit codes', async () => {
  const manifest = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  assert.equal(await store.ok(['--version']), `${version}\n`);
  const help = await store.ok(['--help']);
  for (const [code, meaning] of EXIT_CODE_MEANINGS)
    assert.match(help, new RegExp(`^  ${code} +${meaning}$`, 'm'));
});

test('the documentation names every command and has the exit codes of the program', () => {
  const page = readFileSync(new URL('../../../../docs/cli.md', import.meta.url), 'utf8');
  for (const path of allCommands())
    assert.ok(page.includes(`wherry ${path.join(' ')}`), path.join(' '));
  for (const [code, meaning] of EXIT_CODE_MEANINGS)
    assert.ok(page.includes(`| ${code} | ${meaning} |`));
});

test('wrong usage exits with 2 and says what is wrong', async () => {
  const wrong: [string[], RegExp][] = [
    [[], /^Usage: wherry/],
    [['queue'], /^Usage: wherry queue/],
    [['qeue'], /unknown command 'qeue'/],
    [['queue', 'list', '--nothing'], /unknown option '--nothing'/],
    [['queue', 'info'], /missing required argument 'name'/],
    [['queue', 'info', 'a', 'b'], /too many arguments/],
  ];
  for (const [args, message] of wrong) {
    const answer = await store.call(args);
    assert.equal(answer.code, 2, args.join(' '));
    assert.match(answer.stderr, message);
    const json = await store.call([...args, '--json']);
    assert.equal(json.code, 2);
    assert.equal((JSON.parse(json.stderr) as { error: { code: string } }).error.code, 'USAGE');
  }
});

test('colour goes to terminals only, and not where it is not wanted', async () => {
  const fresh = new TestStore();
  await fresh.ok(['queue', 'create', 'orders']);
  const list = ['queue', 'list'];
  const colored = (text: string): boolean => text.includes('\u001b[');
  assert.equal(colored((await fresh.call(list, { terminal: true })).stdout), true);
  assert.equal(
    colored((await fresh.call(['queue', 'info', 'x'], { terminal: true })).stderr),
    true,
  );
  assert.equal(colored((await fresh.call(list)).stdout), false);
  assert.equal(
    colored((await fresh.call([...list, '--no-color'], { terminal: true })).stdout),
    false,
  );
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    assert.equal(colored((await fresh.call(list, { terminal: true, env })).stdout), false);
    assert.equal(colored((await fresh.call(['--help'], { terminal: true, env })).stdout), false);
  }
});

test('a stack is shown when it is asked for, and never otherwise', async () => {
  const fresh = new TestStore();
  await fresh.ok(['queue', 'create', 'orders']);
  const info = ['queue', 'info', 'nothing'];
  assert.doesNotMatch((await fresh.call(info)).stderr, /\n +at /);
  assert.match((await fresh.call([...info, '--verbose'])).stderr, /\n +at .*cli/);
  const plain = JSON.parse((await fresh.call([...info, '--json'])).stderr) as { error: object };
  assert.deepEqual(plain.error, {
    code: 'QUEUE_NOT_FOUND',
    message: "Queue 'nothing' does not exist. Create it with: wherry queue create nothing",
  });
  const verbose = JSON.parse((await fresh.call([...info, '--json', '--verbose'])).stderr) as {
    error: { stack: string };
  };
  assert.match(verbose.error.stack, /\n +at /);
});

test('WHERRY_STORE names the store where --store does not', async () => {
  const fresh = new TestStore();
  await fresh.ok(['queue', 'create', 'orders']);
  const { run } = await import('../../src/cli/run.ts');
  const stdout = new Capture();
  const io = {
    stdin: Readable.from([]),
    stdout,
    stderr: new Capture(),
    env: { WHERRY_STORE: `lmdb:${fresh.path}` },
  };
  assert.equal(await run(['queue', 'info', 'orders', '--json'], io), 0);
  assert.match(stdout.text(), /"name":"orders"/);
});

test('a store of an unknown kind is refused', async () => {
  const { run } = await import('../../src/cli/run.ts');
  const stderr = new Capture();
  const io = { stdin: Readable.from([]), stdout: new Capture(), stderr, env: {} };
  assert.equal(await run(['queue', 'list', '--store', 'ftp://somewhere'], io), 2);
  assert.match(stderr.text(), /ftp:\/\/somewhere/);
});
