import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HostPolicy, type Provenance, isLoopback } from '../../src/access/hosts.ts';

const policy = new HostPolicy({
  allowedHosts: ['mq.example.com', '*.internal'],
  allowedOrigins: ['https://mq.example.com'],
  tls: false,
});

describe('hosts', () => {
  for (const host of [
    'localhost',
    'localhost:7470',
    'LOCALHOST:7470',
    'app.localhost',
    '127.0.0.1:7470',
    '[::1]:7470',
    '[::1]',
    '192.168.1.7:80',
    'mq.example.com',
    'MQ.example.com.:443',
    'broker-1.internal:7470',
  ]) {
    test(`${host} is one of ours`, () => policy.checkHost(host));
  }
  for (const host of [
    undefined,
    '',
    'evil.example.com',
    'evil.example.com:7470',
    'mq.example.com.evil.com',
    'xmq.example.com',
    'localhost.evil.com',
    'evil-localhost',
    '127.0.0.1.evil.com',
    '127.0.0.1@evil.com',
    'internal',
    '2130706433',
    '0x7f000001',
    'localhost:7470:1',
    'local host',
    '[::1]evil.com',
    'user@localhost',
  ]) {
    test(`${host} is not`, () => {
      assert.throws(() => policy.checkHost(host), { code: 'HOST_NOT_ALLOWED' });
    });
  }
});

describe('origins', () => {
  const request = (given: Partial<Provenance>): Provenance => ({
    host: 'localhost:7470',
    origin: undefined,
    fetchSite: undefined,
    fetchMode: undefined,
    method: 'POST',
    ...given,
  });
  const ours: Partial<Provenance>[] = [
    {},
    { origin: 'http://localhost:7470' },
    { origin: 'HTTP://LOCALHOST:7470' },
    { origin: 'https://mq.example.com' },
    { origin: 'https://mq.example.com', fetchSite: 'cross-site' },
    { fetchSite: 'same-origin', fetchMode: 'cors' },
    { fetchSite: 'none', fetchMode: 'navigate', method: 'GET' },
    // A link to the dashboard.
    { fetchSite: 'cross-site', fetchMode: 'navigate', method: 'GET' },
  ];
  for (const given of ours) {
    test(`${JSON.stringify(given)} is ours`, () => policy.checkOrigin(request(given)));
  }
  const theirs: Partial<Provenance>[] = [
    { origin: 'null' },
    { origin: '' },
    { origin: 'https://localhost:7470' },
    { origin: 'http://localhost' },
    { origin: 'http://localhost:7471' },
    { origin: 'http://localhost:7470.evil.com' },
    { origin: 'https://mq.example.com.evil.com' },
    { origin: 'https://evil.example.com' },
    { origin: 'http://mq.example.com' },
    { fetchSite: 'cross-site', fetchMode: 'navigate' },
    { fetchSite: 'cross-site', fetchMode: 'no-cors', method: 'GET' },
    { fetchSite: 'same-site', fetchMode: 'no-cors' },
    { fetchSite: 'cross-site', fetchMode: 'websocket', method: 'GET' },
  ];
  for (const given of theirs) {
    test(`${JSON.stringify(given)} is theirs`, () => {
      assert.throws(() => policy.checkOrigin(request(given)), { code: 'ORIGIN_NOT_ALLOWED' });
    });
  }

  test('over TLS, a page without is another origin', () => {
    const secure = new HostPolicy({ allowedHosts: [], allowedOrigins: [], tls: true });
    secure.checkOrigin(request({ origin: 'https://localhost:7470' }));
    assert.throws(() => secure.checkOrigin(request({ origin: 'http://localhost:7470' })), {
      code: 'ORIGIN_NOT_ALLOWED',
    });
  });
});

test('what only this machine can reach', () => {
  for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '::1', '[::1]', '::ffff:127.0.0.1']) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    'example.com',
    '127.0.0.1.nip.io',
  ]) {
    assert.ok(!isLoopback(host), host);
  }
});
