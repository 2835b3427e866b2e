// Written by `npm run generate:amqp` from packages/server/spec. Do not change it by hand.

import type { Table } from './table.ts';

export type ArgumentType =
  | 'bit'
  | 'octet'
  | 'short'
  | 'long'
  | 'longlong'
  | 'timestamp'
  | 'shortstr'
  | 'longstr'
  | 'table';

export interface MethodSpec {
  /** Class and method, 16 bits each, as a method frame begins. */
  readonly id: number;
  readonly name: MethodName;
  /** Name, type, and the value of an argument that is not given; '' is also the empty table. */
  readonly arguments: readonly (readonly [
    name: string,
    type: ArgumentType,
    initial: string | number | boolean,
  ])[];
  readonly hasContent: boolean;
}

export const METHODS: readonly MethodSpec[] = [
  {
    id: 0x000a000a,
    name: 'connection.start',
    arguments: [
      ['versionMajor', 'octet', 0],
      ['versionMinor', 'octet', 9],
      ['serverProperties', 'table', ''],
      ['mechanisms', 'longstr', 'PLAIN'],
      ['locales', 'longstr', 'en_US'],
    ],
    hasContent: false,
  },
  {
    id: 0x000a000b,
    name: 'connection.start-ok',
    arguments: [
      ['clientProperties', 'table', ''],
      ['mechanism', 'shortstr', 'PLAIN'],
      ['response', 'longstr', ''],
      ['locale', 'shortstr', 'en_US'],
    ],
    hasContent: false,
  },
  {
    id: 0x000a0014,
    name: 'connection.secure',
    arguments: [['challenge', 'longstr', '']],
    hasContent: false,
  },
  {
    id: 0x000a0015,
    name: 'connection.secure-ok',
    arguments: [['response', 'longstr', '']],
    hasContent: false,
  },
  {
    id: 0x000a001e,
    name: 'connection.tune',
    arguments: [
      ['channelMax', 'short', 0],
      ['frameMax', 'long', 0],
      ['heartbeat', 'short', 0],
    ],
    hasContent: false,
  },
  {
    id: 0x000a001f,
    name: 'connection.tune-ok',
    arguments: [
      ['channelMax', 'short', 0],
      ['frameMax', 'long', 0],
      ['heartbeat', 'short', 0],
    ],
    hasContent: false,
  },
  {
    id: 0x000a0028,
    name: 'connection.open',
    arguments: [
      ['virtualHost', 'shortstr', '/'],
      ['capabilities', 'shortstr', ''],
      ['insist', 'bit', false],
    ],
    hasContent: false,
  },
  {
    id: 0x000a0029,
    name: 'connection.open-ok',
    arguments: [['knownHosts', 'shortstr', '']],
    hasContent: false,
  },
  {
    id: 0x000a0032,
    name: 'connection.close',
    arguments: [
      ['replyCode', 'short', 0],
      ['replyText', 'shortstr', ''],
      ['classId', 'short', 0],
      ['methodId', 'short', 0],
    ],
    hasContent: false,
  },
  {
    id: 0x000a0033,
    name: 'connection.close-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x000a003c,
    name: 'connection.blocked',
    arguments: [['reason', 'shortstr', '']],
    hasContent: false,
  },
  {
    id: 0x000a003d,
    name: 'connection.unblocked',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x000a0046,
    name: 'connection.update-secret',
    arguments: [
      ['newSecret', 'longstr', ''],
      ['reason', 'shortstr', ''],
    ],
    hasContent: false,
  },
  {
    id: 0x000a0047,
    name: 'connection.update-secret-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x0014000a,
    name: 'channel.open',
    arguments: [['outOfBand', 'shortstr', '']],
    hasContent: false,
  },
  {
    id: 0x0014000b,
    name: 'channel.open-ok',
    arguments: [['channelId', 'longstr', '']],
    hasContent: false,
  },
  {
    id: 0x00140014,
    name: 'channel.flow',
    arguments: [['active', 'bit', false]],
    hasContent: false,
  },
  {
    id: 0x00140015,
    name: 'channel.flow-ok',
    arguments: [['active', 'bit', false]],
    hasContent: false,
  },
  {
    id: 0x00140028,
    name: 'channel.close',
    arguments: [
      ['replyCode', 'short', 0],
      ['replyText', 'shortstr', ''],
      ['classId', 'short', 0],
      ['methodId', 'short', 0],
    ],
    hasContent: false,
  },
  {
    id: 0x00140029,
    name: 'channel.close-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x001e000a,
    name: 'access.request',
    arguments: [
      ['realm', 'shortstr', '/data'],
      ['exclusive', 'bit', false],
      ['passive', 'bit', true],
      ['active', 'bit', true],
      ['write', 'bit', true],
      ['read', 'bit', true],
    ],
    hasContent: false,
  },
  {
    id: 0x001e000b,
    name: 'access.request-ok',
    arguments: [['ticket', 'short', 1]],
    hasContent: false,
  },
  {
    id: 0x0028000a,
    name: 'exchange.declare',
    arguments: [
      ['ticket', 'short', 0],
      ['exchange', 'shortstr', ''],
      ['type', 'shortstr', 'direct'],
      ['passive', 'bit', false],
      ['durable', 'bit', false],
      ['autoDelete', 'bit', false],
      ['internal', 'bit', false],
      ['nowait', 'bit', false],
      ['arguments', 'table', ''],
    ],
    hasContent: false,
  },
  {
    id: 0x0028000b,
    name: 'exchange.declare-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x00280014,
    name: 'exchange.delete',
    arguments: [
      ['ticket', 'short', 0],
      ['exchange', 'shortstr', ''],
      ['ifUnused', 'bit', false],
      ['nowait', 'bit', false],
    ],
    hasContent: false,
  },
  {
    id: 0x00280015,
    name: 'exchange.delete-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x0028001e,
    name: 'exchange.bind',
    arguments: [
      ['ticket', 'short', 0],
      ['destination', 'shortstr', ''],
      ['source', 'shortstr', ''],
      ['routingKey', 'shortstr', ''],
      ['nowait', 'bit', false],
      ['arguments', 'table', ''],
    ],
    hasContent: false,
  },
  {
    id: 0x0028001f,
    name: 'exchange.bind-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x00280028,
    name: 'exchange.unbind',
    arguments: [
      ['ticket', 'short', 0],
      ['destination', 'shortstr', ''],
      ['source', 'shortstr', ''],
      ['routingKey', 'shortstr', ''],
      ['nowait', 'bit', false],
      ['arguments', 'table', ''],
    ],
    hasContent: false,
  },
  {
    id: 0x00280033,
    name: 'exchange.unbind-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x0032000a,
    name: 'queue.declare',
    arguments: [
      ['ticket', 'short', 0],
      ['queue', 'shortstr', ''],
      ['passive', 'bit', false],
      ['durable', 'bit', false],
      ['exclusive', 'bit', false],
      ['autoDelete', 'bit', false],
      ['nowait', 'bit', false],
      ['arguments', 'table', ''],
    ],
    hasContent: false,
  },
  {
    id: 0x0032000b,
    name: 'queue.declare-ok',
    arguments: [
      ['queue', 'shortstr', ''],
      ['messageCount', 'long', 0],
      ['consumerCount', 'long', 0],
    ],
    hasContent: false,
  },
  {
    id: 0x00320014,
    name: 'queue.bind',
    arguments: [
      ['ticket', 'short', 0],
      ['queue', 'shortstr', ''],
      ['exchange', 'shortstr', ''],
      ['routingKey', 'shortstr', ''],
      ['nowait', 'bit', false],
      ['arguments', 'table', ''],
    ],
    hasContent: false,
  },
  {
    id: 0x00320015,
    name: 'queue.bind-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x0032001e,
    name: 'queue.purge',
    arguments: [
      ['ticket', 'short', 0],
      ['queue', 'shortstr', ''],
      ['nowait', 'bit', false],
    ],
    hasContent: false,
  },
  {
    id: 0x0032001f,
    name: 'queue.purge-ok',
    arguments: [['messageCount', 'long', 0]],
    hasContent: false,
  },
  {
    id: 0x00320028,
    name: 'queue.delete',
    arguments: [
      ['ticket', 'short', 0],
      ['queue', 'shortstr', ''],
      ['ifUnused', 'bit', false],
      ['ifEmpty', 'bit', false],
      ['nowait', 'bit', false],
    ],
    hasContent: false,
  },
  {
    id: 0x00320029,
    name: 'queue.delete-ok',
    arguments: [['messageCount', 'long', 0]],
    hasContent: false,
  },
  {
    id: 0x00320032,
    name: 'queue.unbind',
    arguments: [
      ['ticket', 'short', 0],
      ['queue', 'shortstr', ''],
      ['exchange', 'shortstr', ''],
      ['routingKey', 'shortstr', ''],
      ['arguments', 'table', ''],
    ],
    hasContent: false,
  },
  {
    id: 0x00320033,
    name: 'queue.unbind-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x003c000a,
    name: 'basic.qos',
    arguments: [
      ['prefetchSize', 'long', 0],
      ['prefetchCount', 'short', 0],
      ['global', 'bit', false],
    ],
    hasContent: false,
  },
  {
    id: 0x003c000b,
    name: 'basic.qos-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x003c0014,
    name: 'basic.consume',
    arguments: [
      ['ticket', 'short', 0],
      ['queue', 'shortstr', ''],
      ['consumerTag', 'shortstr', ''],
      ['noLocal', 'bit', false],
      ['noAck', 'bit', false],
      ['exclusive', 'bit', false],
      ['nowait', 'bit', false],
      ['arguments', 'table', ''],
    ],
    hasContent: false,
  },
  {
    id: 0x003c0015,
    name: 'basic.consume-ok',
    arguments: [['consumerTag', 'shortstr', '']],
    hasContent: false,
  },
  {
    id: 0x003c001e,
    name: 'basic.cancel',
    arguments: [
      ['consumerTag', 'shortstr', ''],
      ['nowait', 'bit', false],
    ],
    hasContent: false,
  },
  {
    id: 0x003c001f,
    name: 'basic.cancel-ok',
    arguments: [['consumerTag', 'shortstr', '']],
    hasContent: false,
  },
  {
    id: 0x003c0028,
    name: 'basic.publish',
    arguments: [
      ['ticket', 'short', 0],
      ['exchange', 'shortstr', ''],
      ['routingKey', 'shortstr', ''],
      ['mandatory', 'bit', false],
      ['immediate', 'bit', false],
    ],
    hasContent: true,
  },
  {
    id: 0x003c0032,
    name: 'basic.return',
    arguments: [
      ['replyCode', 'short', 0],
      ['replyText', 'shortstr', ''],
      ['exchange', 'shortstr', ''],
      ['routingKey', 'shortstr', ''],
    ],
    hasContent: true,
  },
  {
    id: 0x003c003c,
    name: 'basic.deliver',
    arguments: [
      ['consumerTag', 'shortstr', ''],
      ['deliveryTag', 'longlong', 0],
      ['redelivered', 'bit', false],
      ['exchange', 'shortstr', ''],
      ['routingKey', 'shortstr', ''],
    ],
    hasContent: true,
  },
  {
    id: 0x003c0046,
    name: 'basic.get',
    arguments: [
      ['ticket', 'short', 0],
      ['queue', 'shortstr', ''],
      ['noAck', 'bit', false],
    ],
    hasContent: false,
  },
  {
    id: 0x003c0047,
    name: 'basic.get-ok',
    arguments: [
      ['deliveryTag', 'longlong', 0],
      ['redelivered', 'bit', false],
      ['exchange', 'shortstr', ''],
      ['routingKey', 'shortstr', ''],
      ['messageCount', 'long', 0],
    ],
    hasContent: true,
  },
  {
    id: 0x003c0048,
    name: 'basic.get-empty',
    arguments: [['clusterId', 'shortstr', '']],
    hasContent: false,
  },
  {
    id: 0x003c0050,
    name: 'basic.ack',
    arguments: [
      ['deliveryTag', 'longlong', 0],
      ['multiple', 'bit', false],
    ],
    hasContent: false,
  },
  {
    id: 0x003c005a,
    name: 'basic.reject',
    arguments: [
      ['deliveryTag', 'longlong', 0],
      ['requeue', 'bit', true],
    ],
    hasContent: false,
  },
  {
    id: 0x003c0064,
    name: 'basic.recover-async',
    arguments: [['requeue', 'bit', false]],
    hasContent: false,
  },
  {
    id: 0x003c006e,
    name: 'basic.recover',
    arguments: [['requeue', 'bit', false]],
    hasContent: false,
  },
  {
    id: 0x003c006f,
    name: 'basic.recover-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x003c0078,
    name: 'basic.nack',
    arguments: [
      ['deliveryTag', 'longlong', 0],
      ['multiple', 'bit', false],
      ['requeue', 'bit', true],
    ],
    hasContent: false,
  },
  {
    id: 0x0055000a,
    name: 'confirm.select',
    arguments: [['nowait', 'bit', false]],
    hasContent: false,
  },
  {
    id: 0x0055000b,
    name: 'confirm.select-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x005a000a,
    name: 'tx.select',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x005a000b,
    name: 'tx.select-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x005a0014,
    name: 'tx.commit',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x005a0015,
    name: 'tx.commit-ok',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x005a001e,
    name: 'tx.rollback',
    arguments: [],
    hasContent: false,
  },
  {
    id: 0x005a001f,
    name: 'tx.rollback-ok',
    arguments: [],
    hasContent: false,
  },
];

export interface MethodArguments {
  'connection.start': {
    readonly versionMajor: number;
    readonly versionMinor: number;
    readonly serverProperties: Table;
    readonly mechanisms: Buffer;
    readonly locales: Buffer;
  };
  'connection.start-ok': {
    readonly clientProperties: Table;
    readonly mechanism: string;
    readonly response: Buffer;
    readonly locale: string;
  };
  'connection.secure': { readonly challenge: Buffer };
  'connection.secure-ok': { readonly response: Buffer };
  'connection.tune': {
    readonly channelMax: number;
    readonly frameMax: number;
    readonly heartbeat: number;
  };
  'connection.tune-ok': {
    readonly channelMax: number;
    readonly frameMax: number;
    readonly heartbeat: number;
  };
  'connection.open': {
    readonly virtualHost: string;
    readonly capabilities: string;
    readonly insist: boolean;
  };
  'connection.open-ok': { readonly knownHosts: string };
  'connection.close': {
    readonly replyCode: number;
    readonly replyText: string;
    readonly classId: number;
    readonly methodId: number;
  };
  'connection.close-ok': {};
  'connection.blocked': { readonly reason: string };
  'connection.unblocked': {};
  'connection.update-secret': { readonly newSecret: Buffer; readonly reason: string };
  'connection.update-secret-ok': {};
  'channel.open': { readonly outOfBand: string };
  'channel.open-ok': { readonly channelId: Buffer };
  'channel.flow': { readonly active: boolean };
  'channel.flow-ok': { readonly active: boolean };
  'channel.close': {
    readonly replyCode: number;
    readonly replyText: string;
    readonly classId: number;
    readonly methodId: number;
  };
  'channel.close-ok': {};
  'access.request': {
    readonly realm: string;
    readonly exclusive: boolean;
    readonly passive: boolean;
    readonly active: boolean;
    readonly write: boolean;
    readonly read: boolean;
  };
  'access.request-ok': { readonly ticket: number };
  'exchange.declare': {
    readonly ticket: number;
    readonly exchange: string;
    readonly type: string;
    readonly passive: boolean;
    readonly durable: boolean;
    readonly autoDelete: boolean;
    readonly internal: boolean;
    readonly nowait: boolean;
    readonly arguments: Table;
  };
  'exchange.declare-ok': {};
  'exchange.delete': {
    readonly ticket: number;
    readonly exchange: string;
    readonly ifUnused: boolean;
    readonly nowait: boolean;
  };
  'exchange.delete-ok': {};
  'exchange.bind': {
    readonly ticket: number;
    readonly destination: string;
    readonly source: string;
    readonly routingKey: string;
    readonly nowait: boolean;
    readonly arguments: Table;
  };
  'exchange.bind-ok': {};
  'exchange.unbind': {
    readonly ticket: number;
    readonly destination: string;
    readonly source: string;
    readonly routingKey: string;
    readonly nowait: boolean;
    readonly arguments: Table;
  };
  'exchange.unbind-ok': {};
  'queue.declare': {
    readonly ticket: number;
    readonly queue: string;
    readonly passive: boolean;
    readonly durable: boolean;
    readonly exclusive: boolean;
    readonly autoDelete: boolean;
    readonly nowait: boolean;
    readonly arguments: Table;
  };
  'queue.declare-ok': {
    readonly queue: string;
    readonly messageCount: number;
    readonly consumerCount: number;
  };
  'queue.bind': {
    readonly ticket: number;
    readonly queue: string;
    readonly exchange: string;
    readonly routingKey: string;
    readonly nowait: boolean;
    readonly arguments: Table;
  };
  'queue.bind-ok': {};
  'queue.purge': { readonly ticket: number; readonly queue: string; readonly nowait: boolean };
  'queue.purge-ok': { readonly messageCount: number };
  'queue.delete': {
    readonly ticket: number;
    readonly queue: string;
    readonly ifUnused: boolean;
    readonly ifEmpty: boolean;
    readonly nowait: boolean;
  };
  'queue.delete-ok': { readonly messageCount: number };
  'queue.unbind': {
    readonly ticket: number;
    readonly queue: string;
    readonly exchange: string;
    readonly routingKey: string;
    readonly arguments: Table;
  };
  'queue.unbind-ok': {};
  'basic.qos': {
    readonly prefetchSize: number;
    readonly prefetchCount: number;
    readonly global: boolean;
  };
  'basic.qos-ok': {};
  'basic.consume': {
    readonly ticket: number;
    readonly queue: string;
    readonly consumerTag: string;
    readonly noLocal: boolean;
    readonly noAck: boolean;
    readonly exclusive: boolean;
    readonly nowait: boolean;
    readonly arguments: Table;
  };
  'basic.consume-ok': { readonly consumerTag: string };
  'basic.cancel': { readonly consumerTag: string; readonly nowait: boolean };
  'basic.cancel-ok': { readonly consumerTag: string };
  'basic.publish': {
    readonly ticket: number;
    readonly exchange: string;
    readonly routingKey: string;
    readonly mandatory: boolean;
    readonly immediate: boolean;
  };
  'basic.return': {
    readonly replyCode: number;
    readonly replyText: string;
    readonly exchange: string;
    readonly routingKey: string;
  };
  'basic.deliver': {
    readonly consumerTag: string;
    readonly deliveryTag: number;
    readonly redelivered: boolean;
    readonly exchange: string;
    readonly routingKey: string;
  };
  'basic.get': { readonly ticket: number; readonly queue: string; readonly noAck: boolean };
  'basic.get-ok': {
    readonly deliveryTag: number;
    readonly redelivered: boolean;
    readonly exchange: string;
    readonly routingKey: string;
    readonly messageCount: number;
  };
  'basic.get-empty': { readonly clusterId: string };
  'basic.ack': { readonly deliveryTag: number; readonly multiple: boolean };
  'basic.reject': { readonly deliveryTag: number; readonly requeue: boolean };
  'basic.recover-async': { readonly requeue: boolean };
  'basic.recover': { readonly requeue: boolean };
  'basic.recover-ok': {};
  'basic.nack': {
    readonly deliveryTag: number;
    readonly multiple: boolean;
    readonly requeue: boolean;
  };
  'confirm.select': { readonly nowait: boolean };
  'confirm.select-ok': {};
  'tx.select': {};
  'tx.select-ok': {};
  'tx.commit': {};
  'tx.commit-ok': {};
  'tx.rollback': {};
  'tx.rollback-ok': {};
}

export type MethodName = keyof MethodArguments;

/** The properties of a message, in the order of their flags: the first has the highest bit. */
export const PROPERTIES: readonly (readonly [name: keyof Properties, type: ArgumentType])[] = [
  ['contentType', 'shortstr'],
  ['contentEncoding', 'shortstr'],
  ['headers', 'table'],
  ['deliveryMode', 'octet'],
  ['priority', 'octet'],
  ['correlationId', 'shortstr'],
  ['replyTo', 'shortstr'],
  ['expiration', 'shortstr'],
  ['messageId', 'shortstr'],
  ['timestamp', 'timestamp'],
  ['type', 'shortstr'],
  ['userId', 'shortstr'],
  ['appId', 'shortstr'],
  ['clusterId', 'shortstr'],
];

export interface Properties {
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  headers?: Table | undefined;
  deliveryMode?: number | undefined;
  priority?: number | undefined;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  expiration?: string | undefined;
  messageId?: string | undefined;
  timestamp?: number | undefined;
  type?: string | undefined;
  userId?: string | undefined;
  appId?: string | undefined;
  clusterId?: string | undefined;
}
