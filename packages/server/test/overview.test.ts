import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBroker } from './broker.ts';

test('a broker says its version', async () => {
  await using broker = await startBroker();
  const response = await fetch(`${broker.url}/api/v1/overview`);
  assert.equal(response.status, 200);
  const { version } = (await response.json()) as { version: string };
  assert.match(version, /^\d+\.\d+\.\d+$/);
});
