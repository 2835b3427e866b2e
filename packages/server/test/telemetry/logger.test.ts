import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { StorageError } from 'wherry';
import { serve } from '../../src/index.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

/** Collects what is written. */
class Capture extends Writable {
  text = '';
  readonly isTTY: boolean;

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }

  /** The lines of JSON. */
  get records(): Record<string, unknown>[] {
    const lines = this.text.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

const LOG = { level: 'info', format: 'auto', requests: false } as const;

test('a line is one JSON object, on a terminal one for people', () => {
  const file = new Capture();
  createLogger(LOG, file).info({ queue: 'orders' }, 'Parked');
  const [{ time, ...rest } = {}] = file.records;
  assert.equal(typeof time, 'number');
  assert.deepEqual(rest, { level: 30, queue: 'orders', msg: 'Parked' });

  const terminal = new Capture(true);
  createLogger(LOG, terminal).info({ queue: 'orders', n: 5 }, 'Parked');
  // oxlint-disable-next-line no-control-regex -- colour is what it is about
  const plain = terminal.text.replaceAll(/\u001b\[\d+m/g, '');
  assert.match(plain, /^\d\d:\d\d:\d\d\.\d{3} info {2}Parked queue=orders n=5\n$/);
});

test('what clients send steers no terminal and makes no line of its own', () => {
  const terminal = new Capture();
  const pretty = createLogger({ ...LOG, format: 'pretty' }, terminal);
  pretty.warn({ queue: 'a\u001b[2Jb\nc\u0007' }, 'x\u001b]0;title\u0007');
  assert.equal(terminal.text.split('\n').length, 2);
  // oxlint-disable-next-line no-control-regex -- it must hold none
  assert.doesNotMatch(terminal.text, /[\u0000-\u0009\u000b-\u001f]/);
});

test('errors have their words, code and cause, and nothing that hangs on them', () => {
  const file = new Capture();
  const error = new StorageError('It failed.', { cause: new Error('disk') });
  Object.assign(error, { payload: 'secret-payload' });
  createLogger(LOG, file).error({ err: error }, 'Failed');
  const { err } = file.records[0]! as { err: Record<string, unknown> };
  assert.deepEqual(
    [err['type'], err['code'], err['message']],
    ['StorageError', 'STORAGE', 'It failed.'],
  );
  assert.equal((err['cause'] as { message: string }).message, 'disk');
  assert.doesNotMatch(file.text, /secret-payload/);
});

test('known names of secrets and passwords in URLs are masked', () => {
  const file = new Capture();
  createLogger(LOG, file).info(
    { password: 'hunter2', user: { passwordHash: 'hunter2' }, store: 'redis://a:hunter2@h/0' },
    'Opened postgres://b:hunter2@h/db?password=hunter2',
  );
  assert.doesNotMatch(file.text, /hunter2/);
  assert.match(file.text, /redis:\/\/a:\*\*\*@h\/0/);
});

test('a request has its id in the answer and in the log, but no query, header or payload', async () => {
  const file = new Capture();
  const logger = createLogger(LOG, file);
  const log = { level: 'info', requests: true } as const;
  const config = { store: 'memory:', port: 0, amqp: { enabled: false }, log };
  await using broker = await serve(config, { logger });
  const call = async (id: string | null): Promise<string | null> => {
    const headers = { 'x-other': 'secret-header', ...(id !== null && { 'x-request-id': id }) };
    const url = `${broker.url}/api/v1/queues/none/messages?token=secret-query`;
    const response = await fetch(url, { method: 'POST', body: '"secret-payload"', headers });
    await response.text();
    return response.headers.get('x-request-id');
  };
  assert.equal(await call('order-17'), 'order-17');
  const made = await call('two words');
  assert.match(made ?? '', /^[\w-]{36}$/, 'an id that a log cannot hold is replaced');
  await broker.close();
  const requests = file.records.filter(({ msg }) => msg === 'Request');
  assert.deepEqual(
    requests.map(({ reqId, method, path }) => [reqId, method, path]),
    [
      ['order-17', 'POST', '/api/v1/queues/none/messages'],
      [made, 'POST', '/api/v1/queues/none/messages'],
    ],
  );
  assert.doesNotMatch(file.text, /secret/);
});
