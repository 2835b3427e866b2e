import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectAmqplib, credentials } from 'amqplib';
import { requireProgram } from '../../../../wherry/test/servers/server-process.ts';
import type { Broker } from '../../../src/index.ts';
import { startBroker } from '../../broker.ts';
import { RawClient } from './raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-amqps-'));
const at = (name: string): string => join(folder, name);
const read = (name: string): Buffer => readFileSync(at(name));

function openssl(words: string): void {
  execFileSync(requireProgram('openssl'), words.split(' '), { cwd: folder, stdio: 'pipe' });
}

const NEW_KEY = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';

/** NAME.pem and NAME-key.pem, which this authority has signed. */
function issue(name: string, authority: string, commonName: string = name): void {
  openssl(`req ${NEW_KEY} -subj /CN=${commonName} -keyout ${name}-key.pem -out ${name}.csr`);
  openssl(
    `x509 -req -in ${name}.csr -CA ${authority}.pem -CAkey ${authority}-key.pem ` +
      `-CAcreateserial -days 2 -out ${name}.pem`,
  );
}

let broker: Broker;

before(async () => {
  for (const authority of ['authority', 'stranger']) {
    openssl(
      `req -x509 ${NEW_KEY} -days 2 -subj /CN=${authority} ` +
        `-keyout ${authority}-key.pem -out ${authority}.pem`,
    );
  }
  openssl(
    `req -x509 ${NEW_KEY} -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 ` +
      '-keyout broker-key.pem -out broker.pem',
  );
  issue('ada', 'authority');
  issue('eve', 'authority');
  issue('forged', 'stranger', 'ada');
  broker = await startBroker({
    tls: { cert: at('broker.pem'), key: at('broker-key.pem') },
    amqp: { port: 0, tlsPort: 0, clientCa: at('authority.pem') },
    users: [{ name: 'ada', password: 'correct horse', admin: true }],
  });
});
after(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

function connect(
  t: Parameters<typeof RawClient.connectTls>[0],
  certificate?: string,
): Promise<RawClient> {
  return RawClient.connectTls(t, {
    port: broker.amqpTlsPort!,
    ca: read('broker.pem'),
    ...(certificate !== undefined && {
      cert: read(`${certificate}.pem`),
      key: read(`${certificate}-key.pem`),
    }),
  });
}

/** The mechanisms that are offered to a client. */
async function offeredTo(client: RawClient): Promise<string> {
  client.greet();
  return (await client.expect(0, 'connection.start')).mechanisms.toString();
}

const EXTERNAL = { mechanism: 'EXTERNAL', response: Buffer.alloc(0) } as const;

test('over TLS, a name and a password let in as without', async (t) => {
  const client = await connect(t);
  await client.logIn({ user: 'ada', password: 'correct horse' });
  await client.openVhost();
  await client.openChannel(1);
});

test('a certificate of the authority is a login, by its common name', async (t) => {
  const client = await connect(t, 'ada');
  assert.equal(await offeredTo(client), 'PLAIN AMQPLAIN EXTERNAL');
  client.startOk(EXTERNAL);
  client.method(0, 'connection.tune-ok', await client.expect(0, 'connection.tune'));
  await client.openVhost();
  await client.openChannel(1);
});

test('amqplib logs in with a certificate', async () => {
  const connection = await connectAmqplib(`amqps://127.0.0.1:${broker.amqpTlsPort}`, {
    cert: read('ada.pem'),
    key: read('ada-key.pem'),
    ca: [read('broker.pem')],
    credentials: credentials.external(),
  });
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  // The broker holds whoever says who they are to it.
  channel.sendToQueue(queue, Buffer.from('1'), { userId: 'ada' });
  await channel.waitForConfirms();
  assert.equal((await channel.checkQueue(queue)).messageCount, 1);
  await channel.close();
  await connection.close();
});

test('a certificate of somebody who is no user does not let in', async (t) => {
  const client = await connect(t, 'eve');
  assert.match(await offeredTo(client), /EXTERNAL/);
  client.startOk(EXTERNAL);
  await client.expectClose(403, /^ACCESS_REFUSED/);
});

test('without a certificate, or with one that somebody else has signed, there is no EXTERNAL', async (t) => {
  for (const certificate of [undefined, 'forged', 'stranger']) {
    const client = await connect(t, certificate);
    assert.equal(await offeredTo(client), 'PLAIN AMQPLAIN');
    client.startOk(EXTERNAL);
    await client.expectClose(403, /^ACCESS_REFUSED/);
  }
});

test('who speaks no TLS is not answered, and the others go on', async (t) => {
  const plain = await RawClient.connect(t, broker.amqpTlsPort!);
  plain.greet();
  await plain.closed();
  plain.expectNothing();
  assert.match(await offeredTo(await connect(t)), /PLAIN/);
});

test('who never comes to speak TLS is cut in time, and its place is free again', async (t) => {
  const own = await startBroker({
    tls: { cert: at('broker.pem'), key: at('broker-key.pem') },
    amqp: { port: 0, tlsPort: 0, handshakeTimeout: '100ms', connections: 2 },
  });
  t.after(() => own.close({ deadline: '100ms' }));
  const silent = await RawClient.connect(t, own.amqpTlsPort!);
  const hesitant = await RawClient.connect(t, own.amqpTlsPort!);
  hesitant.send('\x16\x03\x01');
  await silent.closed();
  await hesitant.closed();
  await RawClient.open(t, own.amqpPort!);
});

test('a broker that closes does not wait for who has not spoken TLS yet', async (t) => {
  const own = await startBroker({
    tls: { cert: at('broker.pem'), key: at('broker-key.pem') },
    amqp: { port: 0, tlsPort: 0 },
  });
  const silent = await RawClient.connect(t, own.amqpTlsPort!);
  const begun = Date.now();
  await own.close({ deadline: '5s' });
  assert.ok(Date.now() - begun < 3_000);
  await silent.closed();
});

test('a renewed certificate is shown to who comes from then on', async (t) => {
  openssl(
    `req -x509 ${NEW_KEY} -days 2 -subj /CN=renewed -addext subjectAltName=IP:127.0.0.1 ` +
      '-keyout broker-key.pem -out broker.pem',
  );
  await broker.reload();
  const client = await connect(t, 'ada');
  assert.match(await offeredTo(client), /EXTERNAL/, 'the authority is still known');
});
