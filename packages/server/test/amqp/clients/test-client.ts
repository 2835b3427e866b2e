import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WherryBroker } from './broker.ts';
import { differences } from './compare.ts';
import { knownDifference } from './known-differences.ts';
import { expectedTranscript, type Line, runClient } from './run-client.ts';

/**
 * This client loses a delivery that it reads in one piece with the answer to basic.consume, whoever
 * sends them: on a busy machine it may wait for one that has come. It has a second try.
 */
const LOSES_DELIVERIES = 'amqp-client';

async function runOnce(family: string): Promise<Line[]> {
  await using broker = await WherryBroker.start();
  return await runClient(family, broker);
}

/** Tests that a client of RabbitMQ gets from ours what it got from RabbitMQ. */
export function testClient(family: string): void {
  test(`${family} notices no difference`, async () => {
    let transcript = await runOnce(family);
    if (family === LOSES_DELIVERIES && transcript.at(-1)?.step === 'failed') {
      transcript = await runOnce(family);
    }
    const unknown = differences(expectedTranscript(family), transcript).filter(
      ({ step }) => knownDifference(family, step) === undefined,
    );
    assert.deepEqual(unknown, []);
  });
}
