import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkConfig } from '../../src/config/check.ts';
import { ConfigError } from '../../src/config/errors.ts';
import type { BrokerConfigInput } from '../../src/config/config.ts';
import { CONFIG_KEYS } from '../../src/config/keys.ts';
import { type ConfigSources, loadConfig } from '../../src/config/load.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { startBroker } from '../broker.ts';
import { closestName } from '../../src/closest-name.ts';

const root = mkdtempSync(join(tmpdir(), 'wherry-config-'));
after(() => rmSync(root, { recursive: true }));

/** A folder with these files. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(root, 'folder-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function load(sources: Partial<ConfigSources> = {}): ReturnType<typeof loadConfig> {
  return loadConfig({ cwd: root, env: {}, ...sources });
}

function problemsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.code, 'CONFIG');
    return error.problems;
  }
  return [];
}

test('every key has a default or may be left out', () => {
  const { config, file } = load();
  assert.equal(file, null);
  assert.deepEqual(
    [config.store, config.host, config.port, config.limits.bodyBytes, config.shutdownTimeout],
    ['./wherry-data', '127.0.0.1', 7470, 16 * 2 ** 20, 10_000],
  );
  // What came out goes in again: a broker takes what was loaded.
  assert.deepEqual(parseConfig(config), config);
});

test('flags go before the environment, that before the file, that before the defaults', () => {
  const cwd = folderWith({
    'wherry.yaml': 'host: ::1\nport: 1\nlimits: { bodyBytes: 1mb, batch: 7 }\nstore: "memory:"\n',
  });
  const env = { WHERRY_PORT: '2', WHERRY_LIMITS_BODY_BYTES: '2mb', PORT: '9' };
  const { config, values, file } = load({ cwd, env, flags: { port: 3 } });
  const { host, port, store, limits } = config;
  assert.deepEqual(
    [host, port, store, limits.bodyBytes, limits.batch, limits.vhosts],
    ['::1', 3, 'memory:', 2 * 2 ** 20, 7, 64],
  );
  const sources = Object.fromEntries(values.map(({ key, source }) => [key, source]));
  assert.equal(file, join(cwd, 'wherry.yaml'));
  assert.deepEqual(
    [sources['host'], sources['port'], sources['limits.bodyBytes'], sources['limits.vhosts']],
    [`file ${file}`, 'flag port', 'environment WHERRY_LIMITS_BODY_BYTES', 'default'],
  );
});

test('the file is the one that is named, or the only one in the folder', () => {
  const named = folderWith({ 'a.json': '{"port": 1}', 'b.yml': 'port: 2' });
  const json = join(named, 'a.json');
  assert.equal(load({ env: { WHERRY_CONFIG: json } }).config.port, 1);
  assert.equal(load({ env: { WHERRY_CONFIG: json }, file: join(named, 'b.yml') }).config.port, 2);
  assert.equal(load({ cwd: folderWith({ 'wherry.json': '{"port": 3}' }) }).config.port, 3);
  assert.equal(load({ cwd: folderWith({ 'wherry.yml': '# nothing yet' }) }).config.port, 7470);
  const both = folderWith({ 'wherry.json': '{}', 'wherry.yaml': '' });
  assert.match(problemsOf(() => load({ cwd: both }))[0]!, /wherry.yaml and wherry.json/);
  assert.match(problemsOf(() => load({ file: join(named, 'c.yml') }))[0]!, /c.yml cannot be read/);
});

test('every kind of value can come from the environment', () => {
  const { config } = load({
    env: {
      WHERRY_METRICS: 'false',
      WHERRY_SHUTDOWN_TIMEOUT: '1500',
      WHERRY_LIMITS_LONG_POLL_MS: '5s',
      WHERRY_ALLOWED_HOSTS: 'a.example, b.example',
      WHERRY_USERS: '[{"name": "ada", "password": "secret", "admin": true}]',
      WHERRY_LOG_LEVEL: 'debug',
    },
  });
  const { metrics, shutdownTimeout, limits, allowedHosts, users, log } = config;
  assert.deepEqual([metrics, shutdownTimeout, limits.longPollMs], [false, 1_500, 5_000]);
  assert.deepEqual(allowedHosts, ['a.example', 'b.example']);
  assert.deepEqual(users, [{ name: 'ada', password: 'secret', admin: true, permissions: [] }]);
  assert.equal(log.level, 'debug');
});

test('all mistakes of all sources are told at once, with what was meant', () => {
  const cwd = folderWith({
    'wherry.yaml': `
port: 70000
stor: x
limits: { bodyByte: 5, batch: 0 }
log: { level: loud }
longPolls: 5
users: [{ name: a }, { name: b, password: hunter2, passwordHash: x }]
tokens: [{ name: t, digest: short-secret }]
tls: { cert: a }
`,
  });
  const env = { WHERRY_LIMIT_BATCH: '5', WHERRY_METRICS: 'yes' };
  const problems = problemsOf(() => load({ cwd, env, flags: { shutdownTimeouts: '5s' } }));
  for (const expected of [
    /^port is 70000: /,
    /^stor is not a known key\. Did you mean store\?$/,
    /^limits\.bodyByte is not a known key\. Did you mean limits\.bodyBytes\?$/,
    /^limits\.batch is 0: /,
    /^log\.level is 'loud': .*"trace"/,
    /^longPolls is not a known key\. Did you mean limits\.longPolls\?$/,
    /^users\[0\] is .*: must have exactly one of password and passwordHash\.$/,
    /^users\[1\] is .*: must have exactly one/,
    /^tokens\[0\]\.digest is '\*\*\*': must be 64 lower-case hex digits\.$/,
    /^tls\.key is missing\.$/,
    /^The environment variable WHERRY_LIMIT_BATCH names no key\. Did you mean WHERRY_LIMITS_BATCH\?$/,
    /^metrics is 'yes': /,
    /^shutdownTimeouts is not a known key\. Did you mean shutdownTimeout\?$/,
  ]) {
    assert.ok(
      problems.some((problem) => expected.test(problem)),
      `${expected} is not in:\n${problems.join('\n')}`,
    );
  }
  assert.equal(problems.length, 13);
  assert.doesNotMatch(problems.join('\n'), /hunter2|short-secret/);
});

test('files that hold no configuration are refused without showing what is in them', () => {
  for (const [name, text, expected] of [
    ['wherry.yaml', 'port: [1\npassword: hunter2', /is not YAML/],
    ['wherry.json', '{"password": "hunter2",', /is not JSON/],
    ['wherry.yaml', '- port\n- hunter2', /holds no keys/],
    ['wherry.yaml', 'port: 1\nport: 2', /is not YAML: Map keys must be unique/],
    ['wherry.json', '{"__proto__": {"admin": true}}', /__proto__ is not a known key/],
  ] as const) {
    const [problem = ''] = problemsOf(() => load({ cwd: folderWith({ [name]: text }) }));
    assert.match(problem, expected);
    assert.doesNotMatch(problem, /hunter2/);
  }
  assert.equal(({} as { admin?: boolean }).admin, undefined);
});

test('secrets are masked wherever values are shown', () => {
  const { values } = load({
    env: {
      WHERRY_STORE: 'redis://ada:hunter2@redis.example/0',
      WHERRY_USERS: '[{"name": "ada", "password": "hunter2"}]',
      WHERRY_TOKENS: `[{"name": "ci", "digest": "${'ab'.repeat(32)}"}]`,
    },
  });
  const shown = JSON.stringify(values);
  assert.doesNotMatch(shown, /hunter2|abab/);
  assert.match(shown, /redis:\/\/ada:\*\*\*@redis\.example\/0/);
});

test('what Kubernetes sets for a service named wherry is none of our variables', () => {
  const env = {
    WHERRY_PORT: 'tcp://10.0.0.1:7470',
    WHERRY_PORT_7470_TCP: 'tcp://10.0.0.1:7470',
    WHERRY_PORT_7470_TCP_ADDR: '10.0.0.1',
    WHERRY_SERVICE_HOST: '10.0.0.1',
    WHERRY_SERVICE_PORT: '7470',
    WHERRY_REDIS_SERVICE_PORT_HTTP: '1',
    WHERRY_AMQP_PORT: 'tcp://10.0.0.2:5672',
  };
  const { config } = load({ env });
  assert.deepEqual([config.port, config.amqp.port], [7470, 5672]);
  // The same name is a key's when its value is.
  assert.equal(load({ env: { WHERRY_AMQP_PORT: '5673' } }).config.amqp.port, 5673);
});

test('queues and the like are held to the rules of the library', async () => {
  const config = parseConfig({
    queues: [{ name: 'a', maxRetry: 3 } as never, { name: 'b', maxSize: -1 }, { name: 'c' }],
    bindings: [{ exchange: 'nowhere', queue: 'c' }],
    schedules: [{ name: 's', cron: 'often', queue: 'c', message: { payload: 1 } }],
  });
  await assert.rejects(checkConfig(config), (error: ConfigError) => {
    assert.equal(error.problems.length, 4, error.message);
    assert.match(error.problems[0]!, /^queues\[0\]: .*"maxRetry".* Did you mean maxRetries\?$/);
    assert.match(error.problems[1]!, /^queues\[1\]: .*maxSize is -1/);
    assert.match(error.problems[2]!, /^bindings\[0\]: Exchange 'nowhere'/);
    assert.match(error.problems[3]!, /^schedules\[0\]: /);
    return true;
  });
});

test('a certificate whose files cannot be read is a mistake', async () => {
  const folder = folderWith({ 'cert.pem': 'x' });
  const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  await assert.rejects(checkConfig(parseConfig({ tls })), ({ problems }: ConfigError) => {
    assert.deepEqual(problems, [`tls.key is '${tls.key}': the file cannot be read (ENOENT).`]);
    return true;
  });
});

test('AMQP over TLS needs the certificate, and clients with certificates need TLS', async () => {
  const amqp = { tlsPort: 0, clientCa: join(folderWith({ 'ca.pem': 'x' }), 'ca.pem') };
  const problemsWith = async (input: BrokerConfigInput): Promise<readonly string[]> => {
    try {
      await checkConfig(parseConfig(input));
      return [];
    } catch (error) {
      return (error as ConfigError).problems;
    }
  };
  const [noCertificate, ...rest] = await problemsWith({ amqp });
  assert.match(noCertificate!, /^amqp\.tlsPort is 0, and .* Give tls\.cert and tls\.key too\.$/);
  assert.deepEqual(rest, []);
  const [noTls] = await problemsWith({ amqp: { clientCa: amqp.clientCa } });
  assert.match(noTls!, /^amqp\.clientCa is .* Give amqp\.tlsPort too\.$/);
  const [unreadable] = await problemsWith({ amqp: { clientCa: '/nowhere' } });
  assert.match(unreadable!, /^amqp\.clientCa is '\/nowhere': the file cannot be read \(ENOENT\)/);
});

test('times and sizes of AMQP are held to what the protocol can say', () => {
  const { amqp } = parseConfig({ amqp: { heartbeat: '5m', frameMax: '1mb' } });
  assert.deepEqual([amqp.heartbeat, amqp.frameMax, amqp.port], [300_000, 2 ** 20, 5672]);
  for (const [key, wrong] of Object.entries({
    heartbeat: '1500ms',
    frameMax: 4_096,
    channelMax: 65_536,
    handshakeTimeout: 1,
  })) {
    const [problem] = problemsOf(() => parseConfig({ amqp: { [key]: wrong } }));
    assert.match(problem!, new RegExp(`^amqp\\.${key} is '?${wrong}'?: must be|Too big`), key);
  }
});

test('an address that cannot be had is a mistake of the configuration', async () => {
  await using broker = await startBroker();
  await assert.rejects(startBroker({ port: broker.port }), (error: ConfigError) => {
    assert.match(error.message, new RegExp(`port is ${broker.port}: another program listens`));
    return error.code === 'CONFIG';
  });
  // An address for documentation, which no machine has.
  const tokens = [{ name: 'ops', digest: 'ab'.repeat(32), admin: true }];
  await assert.rejects(startBroker({ host: '192.0.2.1', tokens }), (error: ConfigError) => {
    assert.match(error.message, /host is '192\.0\.2\.1': this machine does not have/);
    return true;
  });
});

test('names of keys and of variables are different', () => {
  assert.ok(CONFIG_KEYS.length > 30);
  for (const property of ['path', 'variable'] as const) {
    const names = CONFIG_KEYS.map((key) => key[property]);
    assert.equal(new Set(names).size, names.length);
  }
  for (const { path, description } of CONFIG_KEYS) assert.ok(description.length > 5, path);
});

test('a suggestion is near, or there is none', () => {
  assert.equal(closestName('prot', ['port', 'host']), 'port');
  assert.equal(closestName('PORT', ['port', 'host']), 'port');
  assert.equal(closestName('colour', ['port', 'host']), null);
  assert.equal(closestName('x', []), null);
});
