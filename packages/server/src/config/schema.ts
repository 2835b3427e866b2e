import { durationToMs } from 'wherry';
import * as z from 'zod';
import type { BrokerConfig, BrokerConfigInput } from './config.ts';

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  kb: 2 ** 10,
  mb: 2 ** 20,
  gb: 2 ** 30,
};

const bytes = (min: number): z.ZodType<number, number | string> =>
  z.union([z.number(), z.string()]).transform((value, context) => {
    const [, digits, unit = ''] = /^(\d+) ?(|kb|mb|gb)$/i.exec(String(value)) ?? [];
    const count = Number(digits) * (BYTE_UNITS[unit.toLowerCase()] ?? Number.NaN);
    if (Number.isSafeInteger(count) && count >= min) return count;
    context.addIssue(
      `must be a number of bytes from ${min} on, or a string such as '64kb', '16mb'`,
    );
    return z.NEVER;
  });

/** The environment and the command line know only texts. */
const shareOrBytes: z.ZodType<number, number | string> = z
  .union([z.number(), z.string()])
  .transform((value, context) => {
    const number = Number(value);
    if (value !== '' && number >= 0 && number <= 1) return number;
    const parsed = bytes(1_024).safeParse(value);
    if (parsed.success) return parsed.data;
    context.addIssue("must be a share from 0 to 1, or bytes such as '500mb', '2gb'");
    return z.NEVER;
  });

const duration = (min: number): z.ZodType<number, number | string> =>
  z.union([z.number(), z.string()]).transform((value, context) => {
    try {
      // The environment and the command line know only texts.
      const given = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
      return durationToMs(given, 'it', min);
    } catch {
      context.addIssue(
        `must be milliseconds from ${min} on, or a string such as '500ms', '30s', '5m'`,
      );
      return z.NEVER;
    }
  });

const wholeSeconds = (max: number): z.ZodType<number, number | string> =>
  duration(0).refine(
    (value) => value % 1_000 === 0 && value <= max * 1_000,
    `must be whole seconds, at most ${max}`,
  );

const count = (max: number): z.ZodInt => z.int().min(1).max(max);

const patterns = z.array(z.string()).default([]);

const permissions = z
  .array(
    z.strictObject({
      vhost: z.string().default('/').describe('the virtual host'),
      configure: patterns.describe('names that may be created, changed and deleted'),
      write: patterns.describe('names that may be sent to'),
      read: patterns.describe('names that may be received from and looked at'),
    }),
  )
  .default([])
  .describe('what may be done where; `*` in a name stands for any run of characters');

const name = z.string().min(1).max(255).describe('its name');
const admin = z.boolean().default(false).describe('may do everything');

const user = z
  .strictObject({
    name,
    password: z.string().min(1).optional().describe('the password; better give `passwordHash`'),
    passwordHash: z.string().min(1).optional().describe('a scrypt hash, as the API stores it'),
    admin,
    permissions,
  })
  .refine(
    ({ password, passwordHash }) => (password === undefined) !== (passwordHash === undefined),
    'must have exactly one of password and passwordHash',
  );

const token = z.strictObject({
  name,
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')
    .describe("the token's SHA-256"),
  admin,
  permissions,
});

const tls = z
  .strictObject({
    cert: z.string().min(1).describe('file with the certificate chain (PEM)'),
    key: z.string().min(1).describe('file with the private key (PEM)'),
    minVersion: z
      .enum(['TLSv1.2', 'TLSv1.3'])
      .default('TLSv1.2')
      .describe('the oldest TLS that clients may speak'),
  })
  .optional()
  .describe('serve HTTPS; both files are read again on SIGHUP');

const amqp = z
  .strictObject({
    enabled: z.boolean().default(true).describe('serve AMQP 0-9-1'),
    port: z.int().min(0).max(65_535).default(5672).describe('its port; 0: any that is free'),
    tlsPort: z
      .int()
      .min(0)
      .max(65_535)
      .optional()
      .describe('its port for TLS, usually 5671, with the certificate of `tls`'),
    clientCa: z
      .string()
      .min(1)
      .optional()
      .describe('file with authorities (PEM) whose certificates are a login (`EXTERNAL`)'),
    heartbeat: wholeSeconds(65_535)
      .prefault('60s')
      .describe('how often both sides are heard of, if the client does not ask for less; 0: never'),
    frameMax: bytes(8_192)
      .refine((value) => value <= 16 * 2 ** 20, 'must be at most 16mb')
      .prefault('128kb')
      .describe('longest frame'),
    channelMax: count(65_535).default(2_047).describe('most channels of a connection'),
    connections: count(1_000_000).default(10_000).describe('most open connections'),
    consumers: count(1_000_000).default(10_000).describe('most consumers of a connection'),
    handshakeTimeout: duration(100).prefault('10s').describe('until a client must have logged in'),
    unacknowledged: count(10_000_000)
      .default(100_000)
      .describe('most messages that a channel has in hand'),
    acknowledgeTimeout: duration(0)
      .prefault(0)
      .describe('how long a consumer may have a message in hand; 0: for ever'),
    brokerTimeout: duration(1_000)
      .prefault('30s')
      .describe(
        'after so long without a sign of life a broker on the same store counts as dead; what its consumers had in hand is back after twice as long',
      ),
    product: z
      .string()
      .min(1)
      .max(255)
      .default('RabbitMQ')
      .describe('what it tells clients that it is; some behave by the name'),
  })
  .prefault({})
  .describe('the AMQP 0-9-1 server, at the same `host`');

const limits = z
  .strictObject({
    bodyBytes: bytes(1_024).prefault('16mb').describe('longest body of a request'),
    headerBytes: bytes(1_024).prefault('16kb').describe('longest headers of a request'),
    connections: count(1_000_000).default(10_000).describe('most open connections'),
    inFlightBytes: bytes(1_024)
      .prefault('256mb')
      .describe('most bytes of bodies that are being worked on; beyond it requests get 503'),
    batch: count(10_000).default(1_000).describe('most messages or receipts of one request'),
    longPolls: count(1_000_000).default(10_000).describe('most receives that wait at once'),
    longPollMs: duration(0).prefault('60s').describe('longest that a receive may wait'),
    pushCredit: count(100_000).default(1_000).describe('most messages a push client has in hand'),
    eventsPerSecond: count(1_000_000)
      .default(1_000)
      .describe('most events a second that one reader is told'),
    unreadBytes: bytes(1_024)
      .prefault('1mb')
      .describe('most bytes that a reader of events or pushed messages leaves unread'),
    requestTimeoutMs: duration(100)
      .prefault('30s')
      .describe('until a request must have come whole'),
    headersTimeoutMs: duration(100).prefault('10s').describe('until its headers must have come'),
    keepAliveTimeoutMs: duration(0)
      .prefault('60s')
      .describe('how long a connection may be idle between requests'),
    vhosts: count(10_000).default(64).describe('most virtual hosts'),
    queues: count(1_000_000).default(100_000).describe('most queues of a virtual host'),
    exchanges: count(1_000_000)
      .default(100_000)
      .describe('most exchanges of a virtual host, those that AMQP has from the start included'),
    bindings: count(1_000_000).default(100_000).describe('most bindings of a virtual host'),
    loginsPerMinute: count(10_000)
      .default(10)
      .describe('most failed logins a minute, for each name and for each address'),
    metricQueues: count(100_000)
      .default(1_000)
      .describe('most queues with series of their own in `/metrics`; the rest is added up'),
    historyQueues: count(10_000)
      .default(1_000)
      .describe('most queues whose charts are kept, about 32 KB each'),
    diskFree: bytes(0)
      .prefault('50mb')
      .describe('least that is free on the disk of a store in a folder; 0: whatever is'),
    memory: shareOrBytes
      .prefault(0.6)
      .describe('most memory: a share of what there is, or bytes; 0: any'),
  })
  .prefault({})
  .describe('what the broker bears at most');

const log = z
  .strictObject({
    level: z
      .enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'])
      .default('info')
      .describe('the least that is written'),
    format: z
      .enum(['auto', 'json', 'pretty'])
      .default('auto')
      .describe('`auto`: `pretty` on a terminal, else `json`, one object a line'),
    requests: z
      .boolean()
      .default(false)
      .describe('write a line for each request; those that fail in the broker have one anyway'),
  })
  .prefault({})
  .describe('the log, on standard error');

/** The library checks each more strictly when it makes them. */
const documents = <Document>(): z.ZodType<readonly Document[], readonly Document[]> =>
  z.array(z.record(z.string(), z.unknown()) as unknown as z.ZodType<Document, Document>);

const schema = z.strictObject({
  $schema: z.string().optional().describe('for editors; not read'),
  store: z
    .string()
    .min(1)
    .default('./wherry-data')
    .describe('where the messages are: a folder, or the URL of a Redis or PostgreSQL'),
  host: z.string().min(1).default('127.0.0.1').describe('the address to listen at'),
  port: z.int().min(0).max(65_535).default(7470).describe('the port; 0: any that is free'),
  tls,
  amqp,
  users: z.array(user).default([]).describe('users beside those that are in the store'),
  tokens: z.array(token).default([]).describe('API tokens beside those that are in the store'),
  allowedHosts: z
    .array(z.string())
    .default([])
    .describe('host names, beside its own, by which the broker may be called'),
  allowedOrigins: z
    .array(z.string())
    .default([])
    .describe('origins, beside its own, of web pages that may call the broker'),
  limits,
  log,
  metrics: z.boolean().default(true).describe('serve `/metrics`'),
  tracing: z
    .boolean()
    .default(false)
    .describe('make OpenTelemetry spans, with the SDK that the process has loaded'),
  dashboard: z.boolean().default(true).describe('serve the dashboard'),
  shutdownTimeout: duration(0)
    .prefault('10s')
    .describe('how long requests may go on after the first SIGTERM'),
  queues: documents<BrokerConfig['queues'][number]>()
    .default([])
    .describe('queues to make at the start, as `createQueue` takes them'),
  exchanges: documents<BrokerConfig['exchanges'][number]>()
    .default([])
    .describe('exchanges to make at the start'),
  bindings: documents<BrokerConfig['bindings'][number]>()
    .default([])
    .describe('bindings to make at the start'),
  schedules: documents<BrokerConfig['schedules'][number]>()
    .default([])
    .describe('schedules to make, or to bring to this state, at the start'),
});

/** The one source for what a configuration may hold: it validates, and the documentation is made of it. */
export const configSchema: z.ZodType<BrokerConfig, BrokerConfigInput> = schema;

/** @returns the JSON Schema (2020-12) of a configuration file */
export function configJsonSchema(): Record<string, unknown> {
  return { title: 'Wherry broker configuration', ...z.toJSONSchema(schema, { io: 'input' }) };
}
