/**
 * Money moves between accounts, and every transfer is booked exactly once, though the process that
 * books them is killed with SIGKILL again and again.
 *
 * Customers' orders and their messages are written in one transaction (a transactional outbox):
 * there is no order without a message, and no message without an order, also where a customer
 * changes their mind. The worker books and acknowledges in one transaction: exactly-once effects.
 *
 *     DATABASE_URL=postgres://… npx tsx examples/transfer-money/main.ts
 *
 * It makes the schema `bank`, and `wherry` for the queue, in that database.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageQueueSystem } from 'wherry';
import { ACCOUNTS, Bank, OPENING_BALANCE, type TransferMessage } from './bank.ts';

const CUSTOMERS = 5;
const ORDERS_EACH = 30;
/** A worker that has booked so many is killed, in the middle of others. */
const BOOKINGS_PER_WORKER = 20;

const url = process.env['DATABASE_URL'];
if (url === undefined) {
  console.error('Set DATABASE_URL to a PostgreSQL database in which this may make its tables.');
  process.exit(2);
}

const bank = new Bank(url);
await bank.open();
await using mq = await MessageQueueSystem.open({ storage: url });
await mq.createQueue<TransferMessage>({
  name: 'transfers',
  // A killed worker's messages go on as soon as its leases end.
  leaseDuration: '1s',
  // Each kill counts as a delivery of what the worker held.
  maxRetries: 1_000,
});

/** In every third order the customer changes their mind before the transaction ends. */
async function placeOrders(customer: number): Promise<void> {
  for (let n = 0; n < ORDERS_EACH; n++) {
    const debit = 1 + ((customer + n) % ACCOUNTS);
    const credit = 1 + ((customer + n + 1 + (n % (ACCOUNTS - 1))) % ACCOUNTS);
    const done = bank.transaction(async (tx) => {
      const transfer = await bank.order(tx, debit, credit, 1 + (n % 50));
      await mq.sendMessage('transfers', { payload: { transfer } }, { tx });
      if (n % 3 === 0) throw new ChangeOfMind();
    });
    await done.catch((error: unknown) => {
      if (!(error instanceof ChangeOfMind)) throw error;
      changesOfMind += 1;
    });
  }
}

class ChangeOfMind extends Error {}

function startWorker(): ChildProcess {
  const file = join(import.meta.dirname, 'worker.ts');
  return spawn(process.execPath, [...process.execArgv, file, url!], { stdio: 'inherit' });
}

async function isAllBooked(): Promise<boolean> {
  return allOrdered && (await mq.getQueueInfo('transfers')).messageCount === 0;
}

/** Starts a worker and kills it in the middle of its work, again and again, until all is done. */
async function killWorkers(): Promise<void> {
  for (;;) {
    const before = await bank.countBookings();
    const worker = startWorker();
    const ended = once(worker, 'exit');
    while ((await bank.countBookings()) < before + BOOKINGS_PER_WORKER && !(await isAllBooked())) {
      if (worker.exitCode !== null) throw new Error('The worker ended by itself.');
      await sleep(10);
    }
    const isDone = await isAllBooked();
    worker.kill(isDone ? 'SIGTERM' : 'SIGKILL');
    await ended;
    if (isDone) return;
    kills += 1;
  }
}

let changesOfMind = 0;
let allOrdered = false;
let kills = 0;
const ordering = Promise.all(Array.from({ length: CUSTOMERS }, (_, n) => placeOrders(n)));
await Promise.all([ordering.then(() => (allOrdered = true)), killWorkers()]);

const { balance, ordered, booked, doubled, wrong } = await bank.audit();
console.log(`${ordered} transfers ordered, ${changesOfMind} customers changed their mind`);
console.log(`the worker was killed ${kills} times`);
console.log(`${booked} transfers booked, ${doubled} booked twice, ${ordered - booked} not booked`);
console.log(
  `${balance} in all accounts together, as at the start: ${balance === ACCOUNTS * OPENING_BALANCE}`,
);
console.log(`accounts with a wrong balance: ${wrong}`);
await bank.close();

const isRight = booked === ordered && doubled === 0 && wrong === 0;
process.exitCode = isRight ? 0 : 1;
