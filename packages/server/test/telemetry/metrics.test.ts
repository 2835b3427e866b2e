import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MessageQueueSystem } from 'wherry';
import type { Broker } from '../../src/index.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { startBroker } from '../broker.ts';
import { type Family, parseMetrics } from './prometheus.ts';

let broker: Broker;
before(async () => {
  broker = await startBroker({ queues: [{ name: 'orders', maxRetries: 0 }] });
});
after(() => broker.close());

let now = 0;

/** A system by itself, with the metrics of its queues. */
function metricsOf(mq: MessageQueueSystem, queuesMax = 100): Metrics {
  const vhosts = { find: () => mq, names: () => ['/'] };
  return new Metrics({ version: '0', vhosts, queuesMax, now: () => now });
}

/** The page for whoever may see everything, with numbers that are not older than now. */
async function textOf(metrics: Metrics): Promise<string> {
  now += 1_000;
  return metrics.text(() => true);
}

function valueOf(
  families: Map<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  return families
    .get(name)
    ?.samples.find((sample) =>
      Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
    )?.value;
}

test('the page is what Prometheus reads, with the numbers of the store', async () => {
  await using mq = await MessageQueueSystem.open();
  await mq.createQueue({ name: 'orders', maxRetries: 0 });
  for (const payload of [1, 2, 3]) await mq.sendMessage('orders', { payload });
  await mq.sendMessage('orders', { payload: 4, delay: '1h' });
  const [first, second] = await mq.receiveMessage('orders', 'test', { max: 2 });
  await first!.acknowledge();
  await second!.reject('no');
  await mq.receiveMessage('orders', 'test');
  const metrics = metricsOf(mq);
  metrics.observeRequest('GET', '/x', 204, 0.02);
  metrics.observeRequest('GET', '/x', 200, 70);
  metrics.countStoreError('STORAGE');
  metrics.watch('clients', 'Clients of the test', () => 7);
  const families = parseMetrics(await textOf(metrics));

  const of = { vhost: '/', queue: 'orders' };
  for (const [name, labels, expected] of [
    ['wherry_queue_messages', { ...of, state: 'ready' }, 0],
    ['wherry_queue_messages', { ...of, state: 'scheduled' }, 1],
    ['wherry_queue_messages', { ...of, state: 'leased' }, 1],
    ['wherry_queue_bytes', of, 2],
    ['wherry_queue_oldest_message_age_seconds', of, 0],
    ['wherry_queue_messages_arrived_total', of, 4],
    ['wherry_messages_enqueued_total', of, 4],
    ['wherry_messages_delivered_total', of, 3],
    ['wherry_messages_acknowledged_total', of, 1],
    ['wherry_messages_dead_lettered_total', of, 1],
    ['wherry_messages_retried_total', of, 0],
    ['wherry_queue_messages', { queue: 'dead-letter', state: 'ready' }, 1],
    [
      'wherry_http_request_duration_seconds_count',
      { method: 'GET', route: '/x', status: '2xx' },
      2,
    ],
    ['wherry_store_errors_total', { code: 'STORAGE' }, 1],
    ['wherry_clients', {}, 7],
    ['wherry_build_info', { version: '0' }, 1],
  ] as const) {
    const family = name.replace(/_count$/, '');
    const sample = families
      .get(family)
      ?.samples.find(
        (one) =>
          one.name === name &&
          Object.entries(labels).every(([label, text]) => one.labels[label] === text),
      );
    assert.equal(sample?.value, expected, `${name} ${JSON.stringify(labels)}`);
  }
  for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']) {
    assert.ok(families.has(name), name);
  }
});

test('a name that would break the format is written as Prometheus reads it', async () => {
  await using mq = await MessageQueueSystem.open();
  const hostile = 'a"} 1 \\n wherry_evil 1 \\ {x="';
  await mq.createQueue({ name: hostile });
  const families = parseMetrics(await textOf(metricsOf(mq)));
  assert.ok(!families.has('wherry_evil'));
  assert.equal(valueOf(families, 'wherry_queue_bytes', { queue: hostile }), 0);
});

test('queues are shown of those virtual hosts only that may be seen', async () => {
  await using mq = await MessageQueueSystem.open({ queues: [{ name: 'orders' }] });
  const metrics = new Metrics({
    version: '0',
    vhosts: { find: () => mq, names: () => ['a', 'b'] },
    queuesMax: 100,
    now: () => now,
  });
  const seen = async (maySee: (vhost: string) => boolean): Promise<string[]> => {
    const { samples } = parseMetrics(await metrics.text(maySee)).get('wherry_queue_bytes')!;
    return [...new Set(samples.map(({ labels }) => labels['vhost']!))];
  };
  // At the same time: one page is not made of another's rows.
  const pages = [seen((vhost) => vhost === 'a'), seen(() => true), seen(() => false)];
  assert.deepEqual(await Promise.all(pages), [['a'], ['a', 'b'], []]);
});

test('queues beyond the limit are added up, and take no series from those that were there', async () => {
  await using mq = await MessageQueueSystem.open();
  const metrics = metricsOf(mq, 3);
  for (const name of ['m', 'n']) await mq.createQueue({ name });
  const queuesOf = async (): Promise<string[]> => {
    const families = parseMetrics(await textOf(metrics));
    const { samples } = families.get('wherry_queue_bytes')!;
    return samples.map(({ labels }) => labels['queue']!);
  };
  assert.deepEqual(await queuesOf(), ['dead-letter', 'm', 'n']);
  for (const name of ['a', 'b']) {
    await mq.createQueue({ name });
    await mq.sendMessage(name, { payload: 'xyz' });
  }
  assert.deepEqual(await queuesOf(), ['dead-letter', 'm', 'n', '']);
  const families = parseMetrics(await textOf(metrics));
  assert.equal(valueOf(families, 'wherry_queue_messages', { queue: '', state: 'ready' }), 2);
  assert.equal(valueOf(families, 'wherry_messages_enqueued_total', { queue: '' }), 2);
  assert.equal(valueOf(families, 'wherry_queues_without_series'), 2);
  // One that is gone makes room.
  await mq.deleteQueue('m');
  await textOf(metrics);
  assert.deepEqual(await queuesOf(), ['a', 'dead-letter', 'n', '']);
});

test('a store that fails is counted, and leaves the rest of the page', async () => {
  await using mq = await MessageQueueSystem.open();
  const metrics = metricsOf(mq);
  mq.getQueueInfo = async () => {
    throw Object.assign(new Error('gone'), { code: 'STORAGE' });
  };
  const families = parseMetrics(await textOf(metrics));
  assert.equal(valueOf(families, 'wherry_store_errors_total', { code: 'STORAGE' }), 1);
  assert.equal(families.get('wherry_queue_bytes')!.samples.length, 0);
  assert.ok(families.has('process_cpu_seconds_total'));
});

test('a request is counted under its template, whatever stands in the path', async () => {
  for (const name of ['zebra-1', 'zebra-2']) {
    await fetch(`${broker.url}/api/v1/queues/${name}/history`);
    await fetch(`${broker.url}/no/such/${name}`);
  }
  const response = await fetch(`${broker.url}/metrics`);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const families = parseMetrics(await response.text());
  const { samples } = families.get('wherry_http_request_duration_seconds')!;
  const counts = samples
    .filter(({ name }) => name.endsWith('_count'))
    .map(({ labels, value }) => [labels['route'], labels['status'], value]);
  assert.deepEqual(
    counts.find(([route]) => String(route).endsWith('/queues/:queue/history')),
    ['/api/v1/queues/:queue/history', '4xx', 2],
  );
  assert.ok(!counts.some(([route]) => String(route).includes('zebra')), JSON.stringify(counts));
  assert.ok((valueOf(families, 'wherry_http_connections') ?? 0) > 0);
});

test('metrics can be switched off', async () => {
  await using silent = await startBroker({ metrics: false });
  const response = await fetch(`${silent.url}/metrics`);
  await response.body?.cancel();
  assert.equal(response.status, 404);
});
