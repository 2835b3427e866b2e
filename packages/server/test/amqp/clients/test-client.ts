import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WherryBroker } from './broker.ts';
import { differences } from './compare.ts';
import { knownDifference } from './known-differences.ts';
import { expectedTranscript, type Line, runClient } from './run-client.ts';

async function runOnce(family: string): Promise<Line[]> {
  await using broker = await WherryBroker.start();
  return await runClient(family, broker);
}

/** Tests that a client of RabbitMQ gets from ours what it got from RabbitMQ. */
export function testClient(family: string): void {
  test(`${family} notices no difference`, async () => {
    const transcript = await runOnce(family);
    const unknown = differences(expectedTranscript(family), transcript).filter(
      ({ step }) => knownDifference(family, step) === undefined,
    );
    assert.deepEqual(unknown, []);
  });
}
