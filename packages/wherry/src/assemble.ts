import { randomUUID } from 'node:crypto';
import type { MessageQueueConfig } from './config.ts';
import { BrokerPort, setBrokerPort } from './core/broker-port.ts';
import type { Clock } from './core/clock.ts';
import { ConsumerManager } from './core/consumer-manager.ts';
import { DeadLetterQueue } from './core/dead-letter-queue.ts';
import type { Driver } from './core/driver.ts';
import { Events } from './core/events.ts';
import { ExchangeManager } from './core/exchange-manager.ts';
import { FailurePolicy } from './core/failure-policy.ts';
import { Housekeeping, setHousekeeping } from './core/housekeeping.ts';
import { IdleQueues } from './core/idle-queues.ts';
import { DEFAULT_LIMITS, type Limits, checkInteger, checkName } from './core/limits.ts';
import { MessageBroker } from './core/message-broker.ts';
import { MessageSender } from './core/message-sender.ts';
import { ProducerManager } from './core/producer-manager.ts';
import { Publisher } from './core/publisher.ts';
import { QueueManager } from './core/queue-manager.ts';
import type { PayloadSchema } from './core/queue.ts';
import { ReceiptManager } from './core/receipt-manager.ts';
import { Receiver } from './core/receiver.ts';
import { Replier } from './core/replier.ts';
import { Requester } from './core/requester.ts';
import { ScheduleManager } from './core/schedules/schedule-manager.ts';
import { Scheduler } from './core/schedules/scheduler.ts';
import { Settler } from './core/settler.ts';
import { Sweeper } from './core/sweeper.ts';
import { Topology } from './core/topology.ts';
import { TracedSender } from './core/traced-sender.ts';
import type { Tracing } from './core/tracing.ts';
import { Trimmer } from './core/trimmer.ts';
import { Wakeups } from './core/wakeups.ts';

const DEFAULT_DEAD_LETTER_QUEUE = 'dead-letter';

/** The parts of a system, made for each other. One of each: all share the same queues and events. */
export interface Parts {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly topology: Topology;
  readonly events: Events;
  readonly wakeups: Wakeups;
  readonly sweeper: Sweeper;
  readonly settler: Settler;
  readonly publisher: Publisher;
  readonly sender: MessageSender;
  readonly broker: MessageBroker;
  readonly queues: QueueManager;
  readonly exchanges: ExchangeManager;
  readonly producers: ProducerManager;
  readonly consumers: ConsumerManager;
  readonly deadLetters: DeadLetterQueue;
  readonly idleQueues: IdleQueues;
  readonly receiver: Receiver;
  readonly receipts: ReceiptManager;
  readonly requester: Requester;
  readonly schedules: ScheduleManager;
  readonly scheduler: Scheduler;
  readonly housekeeping: Housekeeping;
  readonly port: BrokerPort;
}

/**
 * Makes the parts of a system on an opened store.
 * @param tracing left out: nothing is traced
 * @throws ValidationError
 */
export function assemble(
  driver: Driver,
  clock: Clock,
  config: MessageQueueConfig,
  tracing?: Tracing,
): Parts {
  const limits = checkLimits(config.limits);
  const deadLetterQueue = checkName(
    config.deadLetter?.queue ?? DEFAULT_DEAD_LETTER_QUEUE,
    'deadLetter.queue',
  );
  const now = (): number => clock.now();
  const topology = new Topology(driver.topology, deadLetterQueue);
  const events = new Events(now);
  const wakeups = new Wakeups(driver.notifier, topology);
  const sweeper = new Sweeper(driver, topology, events, clock);
  const policy = new FailurePolicy(topology, limits, deadLetterQueue, Math.random);
  const publisher = new Publisher({ driver, topology, events, wakeups, sweeper, clock });
  const replier = new Replier({ topology, publisher, limits });
  const settler = new Settler({ driver, clock, topology, events, policy, sweeper, replier });
  const trimmer = new Trimmer({ driver, topology, events, settler });
  publisher.trimWith(trimmer);
  settler.trimWith(trimmer);
  const instance = randomUUID();
  const base = { instance, driver, clock, limits, topology, events, wakeups, sweeper, settler };
  const queues = new QueueManager(driver, topology, events, now);
  const schemaOf = (name: string): PayloadSchema | undefined => queues.schemaOf(name);
  const senderParts = { ...base, publisher, schemaOf };
  const sender =
    tracing === undefined ? new MessageSender(senderParts) : new TracedSender(senderParts, tracing);
  const broker = new MessageBroker({ ...base, publisher, schemaOf });
  const consumers = new ConsumerManager(topology, limits, { ...base, broker }, tracing);
  const idleQueues = new IdleQueues({ ...base, queues });
  const scheduler = new Scheduler({ ...base, sender });
  const requester = new Requester({ ...base, broker, sender, queues });
  queues.countConsumersWith((name) => consumers.countConsumers(name));
  queues.countConsumersWith((name) => requester.countConsumers(name));
  const exchanges = new ExchangeManager(topology);
  return {
    ...base,
    publisher,
    sender,
    broker,
    queues,
    exchanges,
    port: new BrokerPort({ ...base, policy, publisher, queues, exchanges, idleQueues }),
    producers: new ProducerManager(topology, sender, clock),
    consumers,
    deadLetters: new DeadLetterQueue(deadLetterQueue, { ...base, broker, queues }),
    idleQueues,
    receiver: new Receiver({ ...base, broker, idleQueues }),
    receipts: new ReceiptManager(base),
    requester,
    schedules: new ScheduleManager({ ...base, sender }),
    scheduler,
    housekeeping: new Housekeeping({ ...base, idleQueues, scheduler }),
  };
}

/** Lets whoever serves a system to others get at what they need of it. */
export function openToServers(system: object, { housekeeping, port }: Parts): void {
  setHousekeeping(system, housekeeping);
  setBrokerPort(system, port);
}

function checkLimits(limits: Partial<Limits> = {}): Limits {
  const merged = { ...DEFAULT_LIMITS, ...limits };
  for (const [name, value] of Object.entries(merged)) {
    checkInteger(value, `limits.${name}`, 1, 2 ** 31 - 1);
  }
  return merged;
}
