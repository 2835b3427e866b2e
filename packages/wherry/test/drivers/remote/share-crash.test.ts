import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCrashes } from './share/crash-run.ts';

test('of four processes that share a folder each may be killed, and nothing is lost', async () => {
  const { confirmed, again, failed, kills } = await runCrashes(3, 500);
  assert.ok(confirmed > 100, `only ${confirmed} messages were confirmed`);
  assert.ok(kills.owners > 0, 'no owner was killed');
  // A send that was under way is made again by itself, under its id.
  assert.equal(failed, 0);
  // Each kill strikes no more than one process's handlers.
  assert.ok(again <= 3 * 8 * 4, `${again} messages were handled again`);
});
