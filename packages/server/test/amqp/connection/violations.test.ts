/** What no client should send: each gets the error of the specification, and nobody else notices. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../../src/index.ts';
import { FRAME } from '../../../src/protocols/amqp/frames.ts';
import { startBroker } from '../../broker.ts';
import { frameOf, RawClient } from './raw-client.ts';

let broker: Broker;

before(async () => {
  broker = await startBroker({ amqp: { port: 0 }, limits: { bodyBytes: 1_024 } });
});
after(() => broker.close());

interface Violation {
  readonly what: string;
  /** With channel 1 open. */
  readonly send: (client: RawClient) => void;
  readonly code: number;
  readonly text: string | RegExp;
}

const publish = (client: RawClient): void => {
  client.method(1, 'basic.publish', { routingKey: 'q' });
};

const VIOLATIONS: readonly Violation[] = [
  {
    what: 'a frame of an unknown type',
    send: (client) => client.frame(5, 0, Buffer.alloc(0)),
    code: 501,
    text: /^FRAME_ERROR - .*type 5/,
  },
  {
    what: 'a frame with another end',
    send: (client) => {
      const frame = frameOf(FRAME.heartbeat, 0, Buffer.alloc(0));
      frame[frame.length - 1] = 0;
      client.send(frame);
    },
    code: 501,
    text: /^FRAME_ERROR - .*206/,
  },
  {
    what: 'a frame above frame_max',
    send: (client) => client.send(Buffer.from([1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0])),
    code: 501,
    text: /^FRAME_ERROR - .*131072/,
  },
  {
    what: 'a heartbeat on a channel',
    send: (client) => client.frame(FRAME.heartbeat, 1, Buffer.alloc(0)),
    code: 505,
    text: /^UNEXPECTED_FRAME/,
  },
  {
    what: 'content on channel 0',
    send: (client) => client.header(0, 1),
    code: 505,
    text: /^UNEXPECTED_FRAME/,
  },
  {
    what: 'a method of a channel on channel 0',
    send: (client) => client.method(0, 'queue.declare', { queue: 'q' }),
    code: 504,
    text: 'CHANNEL_ERROR - unexpected method in connection state running',
  },
  {
    what: 'a second login',
    send: (client) => client.startOk(),
    code: 504,
    text: 'CHANNEL_ERROR - unexpected method in connection state running',
  },
  {
    what: 'a method of the connection on a channel',
    send: (client) => client.method(1, 'connection.tune-ok'),
    code: 503,
    text: /^COMMAND_INVALID/,
  },
  {
    what: 'a method on a channel that is not open',
    send: (client) => client.method(2, 'queue.declare', { queue: 'q' }),
    code: 504,
    text: "CHANNEL_ERROR - expected 'channel.open'",
  },
  {
    what: 'content on a channel that is not open',
    send: (client) => client.header(2, 1),
    code: 504,
    text: "CHANNEL_ERROR - expected 'channel.open'",
  },
  {
    what: 'opening a channel twice',
    send: (client) => client.method(1, 'channel.open'),
    code: 504,
    text: "CHANNEL_ERROR - second 'channel.open' seen",
  },
  {
    what: 'closing a channel that is not open',
    send: (client) => client.method(2, 'channel.close'),
    code: 504,
    text: "CHANNEL_ERROR - expected 'channel.open'",
  },
  {
    what: 'a channel number above channel_max',
    send: (client) => client.method(2_048, 'channel.open'),
    code: 530,
    text: 'NOT_ALLOWED - channel 2048 is higher than the negotiated channel_max (2047)',
  },
  {
    what: 'an unknown method',
    send: (client) => client.frame(FRAME.method, 1, Buffer.from([0, 60, 0, 99])),
    code: 540,
    text: /^NOT_IMPLEMENTED/,
  },
  {
    what: 'a method without all of its arguments',
    send: (client) => client.frame(FRAME.method, 1, Buffer.from([0, 50, 0, 10, 0])),
    code: 502,
    text: /^SYNTAX_ERROR - queue\.declare/,
  },
  {
    what: "a server's method",
    send: (client) => client.method(1, 'basic.deliver', { consumerTag: 'c' }),
    code: 503,
    text: /^COMMAND_INVALID/,
  },
  {
    what: 'a content header that nothing announced',
    send: (client) => client.header(1, 1),
    code: 505,
    text: 'UNEXPECTED_FRAME - expected method frame, got non method frame instead',
  },
  {
    what: 'a body that nothing announced',
    send: (client) => client.frame(FRAME.body, 1, Buffer.from('x')),
    code: 505,
    text: 'UNEXPECTED_FRAME - expected method frame, got non method frame instead',
  },
  {
    what: 'a method in the place of a content header',
    send: (client) => {
      publish(client);
      client.method(1, 'basic.qos');
    },
    code: 505,
    text: /expected content header for class 60, got non content header frame instead$/,
  },
  {
    what: 'a body in the place of a content header',
    send: (client) => {
      publish(client);
      client.frame(FRAME.body, 1, Buffer.from('x'));
    },
    code: 505,
    text: /expected content header for class 60, got non content header frame instead$/,
  },
  {
    what: 'a content header of another class',
    send: (client) => {
      publish(client);
      client.header(1, 1, 50);
    },
    code: 505,
    text: /expected content header for class 60, got one for class 50 instead$/,
  },
  {
    what: 'a content header that is cut off',
    send: (client) => {
      publish(client);
      client.frame(FRAME.header, 1, Buffer.from([0, 60, 0, 0]));
    },
    code: 502,
    text: /^SYNTAX_ERROR/,
  },
  {
    what: 'a method in the place of a body',
    send: (client) => {
      publish(client);
      client.header(1, 10);
      client.frame(FRAME.body, 1, Buffer.from('half'));
      client.method(1, 'basic.qos');
    },
    code: 505,
    text: 'UNEXPECTED_FRAME - expected content body, got non content body frame instead',
  },
  {
    what: 'a body that is longer than announced',
    send: (client) => {
      publish(client);
      client.header(1, 3);
      client.frame(FRAME.body, 1, Buffer.from('12345'));
    },
    code: 501,
    text: 'FRAME_ERROR - content body has 2 bytes more than its header says',
  },
];

test('each violation closes its connection with the code of the specification', async (t) => {
  const bystander = await RawClient.open(t, broker.amqpPort!);
  await bystander.openChannel(1);
  for (const { what, send, code, text } of VIOLATIONS) {
    await t.test(what, async (nested) => {
      const client = await RawClient.open(nested, broker.amqpPort!);
      await client.openChannel(1);
      send(client);
      await client.expectClose(code, text);
    });
  }
  bystander.method(1, 'queue.declare', { queue: 'still-there' });
  await bystander.expect(1, 'queue.declare-ok');
});

test('the error names the method that failed', async (t) => {
  const client = await RawClient.open(t, broker.amqpPort!);
  await client.openChannel(1);
  publish(client);
  client.method(1, 'basic.qos');
  const { classId, methodId } = await client.expect(0, 'connection.close');
  assert.deepEqual([classId, methodId], [60, 40], 'the publish whose content is missing');
});

test('more channels than were agreed on are refused', async (t) => {
  const client = await RawClient.open(t, broker.amqpPort!, { tune: { channelMax: 2 } });
  await client.openChannel(1);
  await client.openChannel(2);
  client.method(3, 'channel.open');
  const text = 'number of channels opened (2) has reached the negotiated channel_max (2)';
  await client.expectClose(530, `NOT_ALLOWED - ${text}`);
});

test('a message that is too long closes its channel only, before its body has come', async (t) => {
  const client = await RawClient.open(t, broker.amqpPort!);
  await client.openChannel(1);
  await client.openChannel(2);
  publish(client);
  client.header(1, 1_025);
  const { replyCode, replyText } = await client.expect(1, 'channel.close');
  assert.equal(
    replyText,
    'PRECONDITION_FAILED - message size 1025 is larger than configured max size 1024',
  );
  assert.equal(replyCode, 406);
  // The rest of it is on its way, and is of no interest.
  client.frame(FRAME.body, 1, Buffer.alloc(1_025));
  client.method(1, 'channel.close-ok');
  await client.openChannel(1);
  client.method(2, 'queue.declare', { queue: 'q' });
  await client.expect(2, 'queue.declare-ok');
});

test('a closed channel hears nothing until it is told so, and its number is free then', async (t) => {
  const client = await RawClient.open(t, broker.amqpPort!);
  await client.openChannel(1);
  client.method(1, 'queue.declare', { queue: 'nowhere', passive: true });
  client.method(1, 'queue.declare', { queue: 'elsewhere', passive: true });
  // Both sides close: the client's has its answer too.
  client.method(1, 'channel.close', { replyCode: 200, replyText: 'bye' });
  client.method(1, 'channel.close-ok');
  client.method(1, 'channel.open');
  const { replyCode, classId, methodId } = await client.expect(1, 'channel.close');
  assert.deepEqual([replyCode, classId, methodId], [404, 50, 10]);
  await client.expect(1, 'channel.close-ok');
  await client.expect(1, 'channel.open-ok');
  // Late, and no error.
  client.method(2, 'channel.close-ok');
  await client.openChannel(3);
});

test('a client closes its channel, and its connection, and may say both at once', async (t) => {
  const client = await RawClient.open(t, broker.amqpPort!);
  await client.openChannel(1);
  client.method(1, 'queue.declare', { queue: 'order' });
  client.method(1, 'channel.close');
  client.method(1, 'channel.open');
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'channel.close-ok');
  await client.expect(1, 'channel.open-ok');
  client.method(0, 'connection.close', { replyCode: 200, replyText: 'bye' });
  client.method(1, 'queue.declare', { queue: 'too-late' });
  await client.expect(0, 'connection.close-ok');
  await client.closed();
});

test('each connection.close has its answer, as threads of one client may send several', async (t) => {
  const client = await RawClient.open(t, broker.amqpPort!);
  client.method(0, 'connection.close', { replyCode: 200 });
  await client.expect(0, 'connection.close-ok');
  client.method(0, 'connection.close', { replyCode: 200 });
  await client.expect(0, 'connection.close-ok');
  await client.closed();
});

test('access.request and channel.flow have their answers', async (t) => {
  const client = await RawClient.open(t, broker.amqpPort!);
  await client.openChannel(1);
  client.method(1, 'access.request', { realm: '/data', active: true });
  assert.deepEqual(await client.expect(1, 'access.request-ok'), { ticket: 1 });
  for (const active of [false, true]) {
    client.method(1, 'channel.flow', { active });
    assert.deepEqual(await client.expect(1, 'channel.flow-ok'), { active });
  }
});
