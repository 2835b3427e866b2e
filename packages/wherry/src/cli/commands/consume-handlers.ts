import { LeaseLostError } from '../../core/errors.ts';
import type { MessageQueueSystem } from '../../index.ts';
import { runCommand } from '../exec.ts';
import type { Invocation } from '../invocation.ts';
import { envelopeRecord, payloadValue } from '../message-line.ts';
import { type Output, writeTo } from '../output.ts';
import { type Handle, release } from '../pump.ts';

/** What became of the messages. */
export interface Tally {
  acknowledged: number;
  rejected: number;
}

/**
 * A line of JSON per message; acknowledged when it was written, released when it was not.
 * @param envelope with the facts beside the payload
 */
export function lineWriter(
  { output }: Invocation,
  mq: MessageQueueSystem,
  envelope: boolean,
  tally: Tally,
): Handle {
  return async (delivery, giveUp) => {
    const record = envelope ? envelopeRecord(delivery) : payloadValue(delivery.message.payload);
    try {
      await unlessAborted(output.jsonLine(record), giveUp);
    } catch (error) {
      await release(mq, delivery);
      if (giveUp.aborted) return;
      throw error;
    }
    await settle(delivery.acknowledge(), 'acknowledged', output, tally);
  };
}

/**
 * A command per message; acknowledged when it exits with 0, rejected otherwise.
 * @param timeoutMs milliseconds after which the command is ended
 */
export function commandRunner(
  { io, output }: Invocation,
  mq: MessageQueueSystem,
  command: string,
  timeoutMs: number | undefined,
  tally: Tally,
): Handle {
  // In JSON, standard output holds the results: what the command says goes to the other one.
  const stdout = output.json ? io.stderr : io.stdout;
  return async (delivery, giveUp) => {
    const started = performance.now();
    const writeErrors: unknown[] = [];
    const passTo = (stream: typeof stdout) => async (chunk: Buffer) => {
      if (writeErrors.length > 0) return;
      await writeTo(stream, chunk).catch((error: unknown) => void writeErrors.push(error));
    };
    const result = await runCommand(command, delivery, {
      env: io.env,
      timeoutMs,
      giveUp,
      onStdout: passTo(stdout),
      onStderr: passTo(io.stderr),
    });
    const { exitCode, signal, failure, givenUp } = result;
    if (givenUp) await release(mq, delivery);
    else if (failure === null) await settle(delivery.acknowledge(), 'acknowledged', output, tally);
    else {
      output.note(`Rejected ${delivery.id}: ${failure.split('\n', 1)[0]}`);
      await settle(delivery.reject(failure), 'rejected', output, tally);
    }
    if (output.json) {
      const status = givenUp ? 'released' : failure === null ? 'acknowledged' : 'rejected';
      const durationMs = Math.round(performance.now() - started);
      const record = { id: delivery.id, status, exitCode, signal, durationMs };
      await output.jsonLine(record);
    }
    if (writeErrors.length > 0) throw writeErrors[0];
  };
}

/** A lost lease (a computer that slept, a clock that jumped) is this message's failure, no more. */
async function settle(
  settling: Promise<void>,
  as: keyof Tally,
  output: Output,
  tally: Tally,
): Promise<void> {
  try {
    await settling;
    tally[as]++;
  } catch (error) {
    if (!(error instanceof LeaseLostError)) throw error;
    tally.rejected++;
    output.failure(error);
  }
}

/** Settles as `work` does, or rejects when the signal comes first. */
function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error('The time to write the line was up.'));
    signal.addEventListener('abort', abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
  });
}
