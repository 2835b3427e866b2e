import type { MessageQueueSystem } from '../../index.ts';
import { InterruptedError, OutputClosedError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { openInput } from '../input.ts';
import type { Invocation } from '../invocation.ts';
import { type Line, lineBatches } from '../lines.ts';
import { type Addressed, parseEnvelopeLine, parsePayload } from '../message-line.ts';
import { type Progress, startProgress } from '../progress.ts';
import { LINE_BYTES_MAX, type LineResult, sendAll, sendLines } from '../sender.ts';
import { plural } from '../units.ts';
import type { PublishPlan } from './publish-options.ts';

/** Sends each line of a file or of standard input (`file: null`). @returns partial when some were refused */
export async function publishLines(
  invocation: Invocation,
  mq: MessageQueueSystem,
  plan: PublishPlan,
  file: string | null,
): Promise<ExitCode> {
  const { io, output, signal } = invocation;
  const { stream, size } = await openInput(invocation, file);
  const progress = await startProgress(io.stderr, size);
  const tally = new Tally(progress);
  try {
    await sendLines(
      tally.counting(lineBatches(stream, LINE_BYTES_MAX), plan.form === 'text'),
      (bytes) => parseLine(plan, bytes),
      (messages) => sendAll(mq, plan.destination, messages, signal),
      (results) => tally.report(invocation, results),
    );
  } catch (error) {
    throw signal.aborted ? new InterruptedError() : error;
  } finally {
    progress.stop();
    output.note(tally.summary());
  }
  return tally.refused === 0 ? EXIT.ok : EXIT.partial;
}

function parseLine({ form, common }: PublishPlan, bytes: Uint8Array): Addressed {
  const line: Addressed =
    form === 'envelope'
      ? parseEnvelopeLine(bytes)
      : { message: { payload: parsePayload(bytes, form) } };
  return { ...line, message: { ...common, ...line.message } };
}

/** Counts what was read and what became of it, for the progress bar and the summary. */
class Tally {
  refused = 0;
  #sent = 0;
  #duplicates = 0;
  #bytesRead = 0;
  readonly #progress: Progress;

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  /** @param blankLinesToo a blank line is a message of its own, not white space between two */
  async *counting(batches: AsyncIterable<Line[]>, blankLinesToo: boolean): AsyncGenerator<Line[]> {
    for await (const lines of batches) {
      for (const { bytes } of lines) this.#bytesRead += (bytes?.length ?? 0) + 1;
      yield blankLinesToo ? lines : lines.filter(({ bytes }) => bytes === null || !isBlank(bytes));
      this.#progress.update(this.#bytesRead, this.summary());
    }
  }

  async report({ output }: Invocation, results: readonly LineResult[]): Promise<void> {
    const records: string[] = [];
    for (const { line, sent } of results) {
      if ('error' in sent) {
        this.refused++;
        this.#progress.interrupt();
        output.failure(sent.error, { line }, `line ${line}: `);
        continue;
      }
      this.#sent++;
      if (sent.duplicate) this.#duplicates++;
      const { id, queues, duplicate } = sent;
      if (output.json) records.push(`${JSON.stringify({ line, id, queues, duplicate })}\n`);
    }
    try {
      if (records.length > 0) await output.write(records.join(''));
    } catch (error) {
      // What was asked for is the sending: it goes on when nobody reads the results any more.
      if (!(error instanceof OutputClosedError)) throw error;
    }
  }

  summary(): string {
    const duplicates = this.#duplicates === 0 ? '' : `, ${this.#duplicates} of them duplicates`;
    const refused = this.refused === 0 ? '' : `; ${plural(this.refused, 'line')} refused`;
    return `Sent ${plural(this.#sent, 'message')}${duplicates}${refused}.`;
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
