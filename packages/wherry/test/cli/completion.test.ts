import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { quoted, TestStore } from './harness.ts';

const store = new TestStore();

async function script(shell: string): Promise<string> {
  return store.ok(['completion', shell]);
}

/** What bash offers for the last of the words. */
function complete(bashScript: string, ...words: string[]): string[] {
  const line = `${bashScript}
COMP_WORDS=(${words.map(quoted).join(' ')})
COMP_CWORD=${words.length - 1}
_wherry
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter((word) => word !== '');
}

test('the bash script is valid bash and completes commands, options and values', async () => {
  const bash = await script('bash');
  const syntax = spawnSync('bash', ['-n'], { input: bash, encoding: 'utf8' });
  assert.deepEqual([syntax.status, syntax.stderr], [0, '']);
  assert.deepEqual(complete(bash, 'wherry', 'dead'), ['dead-letters']);
  assert.deepEqual(complete(bash, 'wherry', 'queue', 'p').toSorted(), ['pause', 'purge']);
  assert.deepEqual(complete(bash, 'wherry', 'queue', 'create', '--max-s'), ['--max-size']);
  assert.deepEqual(complete(bash, 'wherry', 'queue', 'create', 'orders', '--over'), ['--overflow']);
  assert.deepEqual(complete(bash, 'wherry', 'queue', 'create', '--overflow', 'b'), ['block']);
  assert.deepEqual(complete(bash, 'wherry', 'completion', 'f'), ['fish']);
  assert.deepEqual(complete(bash, 'wherry', 'consume', '--js'), ['--json']);
});

test("the bash script does not take an option's value for a command", async () => {
  const bash = await script('bash');
  assert.deepEqual(complete(bash, 'wherry', '--store', 'queue', 'publ'), ['publish']);
});

test('the bash script completes files and folders where an option takes one', async () => {
  const bash = `cd ${quoted(process.cwd())}\n${await script('bash')}`;
  assert.deepEqual(complete(bash, 'wherry', 'publish', '--file', 'package.js'), ['package.json']);
});

test('the zsh and fish scripts know every command and option', async () => {
  const [zsh, fish] = [await script('zsh'), await script('fish')];
  assert.ok(zsh.startsWith('#compdef wherry\n'));
  assert.match(zsh, /'--overflow\[.*\]:overflow:\(reject drop-oldest block\)'/);
  assert.match(zsh, /'queue create'\)/);
  assert.match(
    fish,
    /complete -c wherry -n '__wherry_at \\'queue create\\'' -l overflow -x -a 'reject drop-oldest block'/,
  );
  assert.match(fish, /-n '__wherry_at \\'\\'' -a 'dead-letters'/);
});

test('completion takes only the shells it knows', async () => {
  assert.equal((await store.call(['completion', 'tcsh'])).code, 2);
});
