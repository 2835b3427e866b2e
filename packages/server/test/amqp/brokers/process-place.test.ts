import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { hasEnded, thisProcess } from '../../../src/vhosts/process-place.ts';

test('a process has ended when nobody has its number, where that can be seen', async () => {
  const own = thisProcess();
  assert.equal(hasEnded(own), false);
  const child = spawn(process.execPath, ['--eval', '']);
  const ended = { ...own, pid: child.pid! };
  await once(child, 'exit');
  assert.equal(hasEnded(ended), process.platform === 'linux');
  // The same number is another process elsewhere.
  assert.equal(hasEnded({ ...ended, place: 'elsewhere' }), false);
  assert.equal(hasEnded({ ...ended, place: null }), false);
});
