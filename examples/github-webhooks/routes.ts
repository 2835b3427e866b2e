import type { MessageQueueSystem, QueueConfig } from 'wherry';

export const EXCHANGE = 'github';

/** A queue, what it is bound to, and who works on it. */
export interface Route {
  /** Topic patterns. A webhook that matches several of them reaches the queue once. */
  readonly patterns: readonly string[];
  readonly queue: QueueConfig;
  readonly consumers: number;
  /** Handlers at once, of each consumer. */
  readonly concurrency: number;
  /** Milliseconds that a handler takes: it stands for a database or another service. */
  readonly work: number;
}

const RETRIES = {
  maxRetries: 3,
  backoff: { type: 'exponential', delay: '50ms', factor: 2 },
} as const;

export const ROUTES: readonly Route[] = [
  {
    patterns: ['#'],
    queue: { name: 'audit-log', ...RETRIES },
    consumers: 2,
    concurrency: 4,
    work: 5,
  },
  {
    patterns: [
      'push.*',
      'status.*',
      'deployment.*',
      'deployment_status.*',
      'workflow_dispatch.*',
      'check_run.*',
      'check_suite.*',
      'workflow_job.*',
      'workflow_run.*',
      '*.completed',
    ],
    queue: { name: 'continuous-integration', ...RETRIES },
    consumers: 2,
    concurrency: 2,
    work: 10,
  },
  {
    patterns: [
      'pull_request.opened',
      'pull_request.ready_for_review',
      'pull_request.synchronize',
      'pull_request_review.#',
      'pull_request_review_comment.#',
      'push.*',
    ],
    queue: { name: 'code-review', ...RETRIES },
    consumers: 1,
    concurrency: 2,
    work: 10,
  },
  {
    patterns: ['issues.opened', 'issues.reopened', 'issue_comment.*', '*.labeled', '*.answered'],
    queue: { name: 'issue-triage', ...RETRIES },
    consumers: 1,
    concurrency: 2,
    work: 10,
  },
  {
    patterns: [
      'security_advisory.*',
      'dependabot_alert.*',
      'repository_vulnerability_alert.*',
      'code_scanning_alert.*',
      'secret_scanning_alert.#',
      'secret_scanning_alert_location.#',
      'branch_protection_rule.*',
      'deploy_key.*',
      'member.*',
      '*.publicized',
      'public.*',
    ],
    queue: { name: 'security', ...RETRIES },
    consumers: 1,
    concurrency: 4,
    work: 10,
  },
  {
    patterns: ['star.*', 'watch.*', 'fork.*', 'push.*', '*.opened', '*.created', '*.published'],
    // A live view wants what is fresh: the rest expires. Because the queue names a dead-letter
    // queue, expired messages go there; otherwise they would be dropped and counted.
    queue: {
      name: 'live-feed',
      ...RETRIES,
      messageTtl: '300ms',
      deadLetterQueue: 'dead-letter',
    },
    consumers: 1,
    concurrency: 1,
    work: 15,
  },
];

const PRIORITIES: Readonly<Record<string, number>> = {
  security_advisory: 9,
  dependabot_alert: 9,
  code_scanning_alert: 9,
  secret_scanning_alert: 9,
  repository_vulnerability_alert: 9,
  pull_request: 3,
};

/** What is urgent is handled first in every queue that it reaches. */
export function priorityOf(event: string): number {
  return PRIORITIES[event] ?? 0;
}

/** Creates the exchange, the queues and their bindings; what an earlier run left is deleted. */
export async function declareRoutes(mq: MessageQueueSystem): Promise<void> {
  const names = ROUTES.map(({ queue }) => queue.name);
  const ours = new Set([...names, mq.deadLetterQueue.queueName]);
  const others = mq.listQueues().filter(({ name }) => !ours.has(name));
  if (others.length > 0) {
    const list = others.map(({ name }) => name).join(', ');
    throw new Error(
      `The store holds other queues (${list}). Give this example a folder of its own.`,
    );
  }
  for (const { name } of mq.listQueues()) {
    if (names.includes(name)) await mq.deleteQueue(name, { force: true });
  }
  await mq.deadLetterQueue.purge();
  await createRoutes(mq);
}

/** Creates the exchange, the queues and their bindings where they are missing. */
export async function createRoutes(mq: MessageQueueSystem): Promise<void> {
  await mq.createExchange({ name: EXCHANGE, type: 'topic' });
  for (const { queue, patterns } of ROUTES) {
    await mq.createQueue(queue);
    for (const routingKey of patterns) {
      await mq.bind({ exchange: EXCHANGE, queue: queue.name, routingKey });
    }
  }
}
