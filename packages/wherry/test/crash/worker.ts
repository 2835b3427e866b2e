/**
 * The process that the supervisor kills. What to do comes as a line of JSON on standard input, so
 * that it can be started ahead of time; the history goes to descriptor 3.
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

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as WorkOrder;
  await carryOut(order, new Recorder(order.process, writeAll));
  break;
}
process.exit(0);
