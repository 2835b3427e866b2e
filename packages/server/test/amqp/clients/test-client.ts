import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WherryBroker } from './broker.ts';
import { differences } from './compare.ts';
import { knownDifference } from './known-differences.ts';
import { expectedTranscript, runClient } from './run-client.ts';

/** Tests that a client of RabbitMQ gets from ours what it got from RabbitMQ. */
export function testClient(family: string): void {
  test(`${family} notices no difference`, async () => {
    await using broker = await WherryBroker.start();
    const transcript = await runClient(family, broker);
    const unknown = differences(expectedTranscript(family), transcript).filter(
      ({ step }) => knownDifference(family, step) === undefined,
    );
    assert.deepEqual(unknown, []);
  });
}
