import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { requireProgram } from '../../../wherry/test/servers/server-process.ts';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { basic } from './fixture.ts';
import { rawRequest } from './raw-request.ts';

/** A folder with `cert.pem` and `key.pem`. */
class Certificate {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.renew();
  }

  get files(): { cert: string; key: string } {
    return { cert: join(this.#folder, 'cert.pem'), key: join(this.#folder, 'key.pem') };
  }

  get ca(): string {
    return readFileSync(this.files.cert, 'utf8');
  }

  renew(): void {
    const words =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost ' +
      '-addext subjectAltName=IP:127.0.0.1,DNS:broker.example -keyout new-key.pem -out new-cert.pem';
    execFileSync(requireProgram('openssl'), words.split(' '), { cwd: this.#folder, stdio: 'pipe' });
    for (const name of ['key.pem', 'cert.pem']) {
      copyFileSync(join(this.#folder, `new-${name}`), join(this.#folder, name));
    }
  }
}

async function start(t: TestContext): Promise<{ certificate: Certificate; broker: Broker }> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-tls-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const certificate = new Certificate(folder);
  const broker = await startBroker({
    tls: certificate.files,
    users: [{ name: 'ada', password: 'correct horse', admin: true }],
  });
  t.after(() => broker.close({ deadline: 0 }));
  return { certificate, broker };
}

/** @returns whose certificate the broker shows now */
async function fingerprintOf({ url }: Broker): Promise<string> {
  const { fingerprint } = await rawRequest(`${url}/healthz`, { rejectUnauthorized: false });
  return fingerprint!;
}

test('TLS: who trusts the certificate is let in, and by name only', async (t) => {
  const { certificate, broker } = await start(t);
  const { ca } = certificate;
  assert.match(broker.url, /^https:\/\/127\.0\.0\.1:\d+$/);
  const answer = await rawRequest(`${broker.url}/healthz`, { ca });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000');
  await assert.rejects(rawRequest(`${broker.url}/healthz`), {
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  });
  const elsewhere = broker.url.replace('127.0.0.1', 'localhost');
  await assert.rejects(rawRequest(`${elsewhere}/healthz`, { ca }), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
  await assert.rejects(rawRequest(broker.url.replace('https', 'http')));
});

test('TLS 1.1 and older is not spoken', async (t) => {
  const { certificate, broker } = await start(t);
  const old = {
    ca: certificate.ca,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    // Without this the client would refuse by itself.
    ciphers: 'DEFAULT@SECLEVEL=0',
  } as const;
  await assert.rejects(rawRequest(`${broker.url}/healthz`, old), {
    message: /alert protocol version/,
  });
});

test('TLS: the cookie goes over TLS only, and no other is taken for it', async (t) => {
  const { certificate, broker } = await start(t);
  const { ca } = certificate;
  const headers = { 'content-type': 'application/json' };
  const answer = await rawRequest(
    `${broker.url}/api/v1/session`,
    { method: 'POST', headers, ca },
    JSON.stringify({ user: 'ada', password: 'correct horse' }),
  );
  const [set] = answer.headers['set-cookie']!;
  assert.match(
    set!,
    /^__Host-wherry_session=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
  );
  const id = /=([\w-]{43});/.exec(set!)![1]!;
  const ask = async (cookie: string): Promise<number> =>
    (await rawRequest(`${broker.url}/api/v1/session`, { headers: { cookie }, ca })).status;
  assert.equal(await ask(`__Host-wherry_session=${id}`), 200);
  assert.equal(await ask(`wherry_session=${id}`), 401);
});

test('a renewed certificate is taken by itself, a broken one is not', async (t) => {
  const { certificate, broker } = await start(t);
  const first = await fingerprintOf(broker);
  certificate.renew();
  const deadline = Date.now() + 10_000;
  while ((await fingerprintOf(broker)) === first) {
    assert.ok(Date.now() < deadline, 'it still shows the first one');
  }
  const second = await fingerprintOf(broker);

  writeFileSync(certificate.files.cert, 'no certificate');
  await assert.rejects(broker.reload(), { code: 'VALIDATION', message: /tls\.cert/ });
  assert.equal(await fingerprintOf(broker), second);
  certificate.renew();
  await broker.reload();
  assert.notEqual(await fingerprintOf(broker), second);
});

test('files that cannot be used are told of at the start', async (t) => {
  const { certificate } = await start(t);
  const { cert, key } = certificate.files;
  const missing = startBroker({ tls: { cert, key: `${key}.missing` } });
  await assert.rejects(missing, { code: 'CONFIG', message: /tls\.key .*key\.pem\.missing/ });
  const swapped = startBroker({ tls: { cert: key, key: cert } });
  await assert.rejects(swapped, { code: 'VALIDATION', message: /cannot be used/ });
});

test('whoever asks is told whether the certificate will be good for long enough', async (t) => {
  const { certificate, broker } = await start(t);
  const statusFor = async (days: number): Promise<number> => {
    const path = `api/health/checks/certificate-expiration/${days}/days`;
    const headers = { authorization: basic('ada', 'correct horse') };
    const options = { ca: certificate.ca, headers };
    return (await rawRequest(`${broker.url}/${path}`, options)).status;
  };
  // It is made for two days.
  assert.deepEqual([await statusFor(1), await statusFor(3)], [200, 503]);
});
