/**
 * The process that the supervisor kills. What to do comes as a line of JSON on standard input, so
 * that it can be started ahead of time; a second line ends it in peace. The history goes to
 * descriptor 3.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Recorder } from './recorder.ts';
import { carryOut, type WorkOrder } from './work-order.ts';

/** The supervisor reads the history from here. */
const HISTORY_FD = 3;

function writeAll(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(HISTORY_FD, bytes, at);
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await lines.next();
if (first.done !== true) {
  const order = JSON.parse(first.value) as WorkOrder;
  const stop = new AbortController();
  const heed = async (): Promise<void> => {
    const { done } = await lines.next();
    if (done !== true) stop.abort();
  };
  void heed();
  await carryOut(order, new Recorder(order.process, writeAll), stop.signal);
}
process.exit(0);
