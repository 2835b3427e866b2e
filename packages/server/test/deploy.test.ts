/** What stands in deploy/ names nothing that is not there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { root } from '../../../scripts/find-files.ts';
import { TestStore } from '../../wherry/test/cli/harness.ts';
import { checkConfig } from '../src/config/check.ts';
import { CONFIG_KEYS } from '../src/config/keys.ts';
import { loadConfig } from '../src/config/load.ts';
import { parseConfig } from '../src/config/parse.ts';
import { ROUTES } from '../src/servers/http/route-table.ts';
import { startBroker } from './broker.ts';
import { parseMetrics } from './telemetry/prometheus.ts';

const { port: DEFAULT_PORT, amqp: DEFAULT_AMQP } = loadConfig({ cwd: '/', env: {} }).config;

function read(file: string): string {
  return readFileSync(join(root, 'deploy', file), 'utf8');
}

interface Service {
  readonly profiles: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly stop_grace_period?: string;
}

/** Names of metrics in queries: those that Wherry or prom-client makes. */
function metricsIn(text: string): string[] {
  const names = text.match(/\b(?:wherry|nodejs|process)_\w+/g) ?? [];
  return [...new Set(names)];
}

async function metricNames(): Promise<Set<string>> {
  await using broker = await startBroker({
    amqp: { enabled: true, port: 0 },
    queues: [{ name: 'orders' }],
  });
  // Some are there from the first request on only.
  for (let i = 0; i < 2; i++) await fetch(`${broker.url}/healthz`).then((one) => one.text());
  const page = await fetch(`${broker.url}/metrics`);
  const names = new Set<string>();
  for (const [name, { type }] of parseMetrics(await page.text())) {
    const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const suffix of suffixes) names.add(name + suffix);
  }
  return names;
}

test('the Grafana dashboard and the Prometheus rules name metrics that exist', async () => {
  const names = await metricNames();
  const { panels } = JSON.parse(read('grafana/wherry.json')) as {
    panels: { id: number; targets: { expr: string }[] }[];
  };
  assert.ok(panels.length > 10);
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const text of [read('grafana/wherry.json'), read('prometheus/rules.yml')]) {
    const missing = metricsIn(text).filter((name) => !names.has(name));
    assert.deepEqual(missing, []);
  }
  for (const { targets } of panels) {
    for (const { expr } of targets) assert.ok(metricsIn(expr).length > 0, expr);
  }
  const rules = parse(read('prometheus/rules.yml')) as { groups: { rules: { expr: string }[] }[] };
  assert.equal(rules.groups[0]!.rules.length, 6);
});

test('Prometheus asks where the metrics are', () => {
  const { scrape_configs: jobs } = parse(read('prometheus/prometheus.yml')) as {
    scrape_configs: { metrics_path: string; static_configs: { targets: string[] }[] }[];
  };
  assert.ok(ROUTES.some(({ scope, url }) => scope === 'root' && url === jobs[0]!.metrics_path));
  assert.deepEqual(jobs[0]!.static_configs[0]!.targets, [`127.0.0.1:${DEFAULT_PORT}`]);
});

test('the configuration to begin with is right', async () => {
  const { config } = loadConfig({ cwd: '/', env: {}, file: join(root, 'deploy/wherry.yaml') });
  await checkConfig(config);
  // What is commented out is right too, once a digest stands there.
  const text = read('wherry.yaml').replaceAll(/^# ( *(?:tokens:|- name|digest).*)$/gm, '$1');
  const { tokens } = parse(text.replace('<64 hex digits>', 'a'.repeat(64))) as {
    tokens: unknown[];
  };
  assert.deepEqual(
    parseConfig({ tokens } as never).tokens.map(({ name }) => name),
    ['prometheus'],
  );
});

test('the compose file starts brokers with variables that are keys', () => {
  const { services } = parse(read('compose.yaml'), { merge: true }) as {
    services: Record<string, Service>;
  };
  const brokers = Object.entries(services).filter(([name]) => name.startsWith('broker-'));
  assert.deepEqual(
    brokers.map(([, { profiles }]) => profiles[0]),
    ['redis', 'postgres'],
  );
  for (const [, { environment = {}, ports, depends_on: on, stop_grace_period: grace }] of brokers) {
    const env = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        value.replaceAll(/\$\{.*?\}/g, 'x'),
      ]),
    );
    const { config } = loadConfig({ cwd: '/', env });
    assert.deepEqual(
      config.users.map(({ name, admin }) => [name, admin]),
      [['admin', true]],
    );
    assert.ok(Number.parseInt(grace!, 10) * 1_000 > config.shutdownTimeout);
    assert.deepEqual(
      ports,
      [DEFAULT_PORT, DEFAULT_AMQP.port].map((port) => `127.0.0.1:${port}:${port}`),
    );
    const [store = ''] = Object.keys(on!);
    assert.equal(new URL(config.store).hostname, store);
    assert.ok(store in services);
  }
});

test('the image listens where it says, and its health check asks a path that there is', () => {
  const text = read('Dockerfile');
  const [, environment = ''] = /^ENV ((?:.*\\\n)*.*)$/m.exec(text) ?? [];
  const pairs = Array.from(environment.matchAll(/(\w+)=(\S+)/g), ([, name, value]) => [
    name!,
    value!,
  ]);
  const env = Object.fromEntries(pairs);
  const { config } = loadConfig({ cwd: '/', env });
  assert.equal(pairs.length, 6);
  assert.equal(text.match(/^EXPOSE (.+)$/m)?.[1], `${config.port} ${config.amqp.port}`);
  assert.equal(text.match(/^VOLUME (\S+)$/m)?.[1], config.store);
  const [, path] = /WHERRY_PORT\}(\/\w+)/.exec(text) ?? [];
  assert.ok(ROUTES.some(({ scope, url }) => scope === 'root' && url === path));
  assert.match(text, /^USER node$/m);
  for (const variable of Object.keys(env)) {
    if (variable === 'NODE_ENV') continue;
    assert.ok(
      CONFIG_KEYS.some((key) => key.variable === variable),
      variable,
    );
  }
});

test('the systemd unit starts a command with options that there are', async () => {
  const store = new TestStore('memory:');
  const unit = read('wherry.service');
  const commands = Array.from(
    unit.matchAll(/^ExecStart(?:Pre)?=\S+ wherry (.*)$/gm),
    ([, one]) => one!,
  );
  assert.equal(commands.length, 2);
  for (const command of commands) {
    const words = command.split(' ');
    const options = words.filter((word) => word.startsWith('--'));
    const path = words.slice(
      0,
      words.findIndex((word) => /^(--|\/)/.test(word)),
    );
    const help = await store.ok([...path, '--help']);
    for (const option of options) assert.ok(help.includes(`${option} `), option);
    assert.ok(help.startsWith(`Usage: wherry ${path.join(' ')} `), help.slice(0, 60));
  }
  const { config } = loadConfig({ cwd: '/', env: {} });
  const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
  assert.ok(Number(seconds) * 1_000 > config.shutdownTimeout);
});
