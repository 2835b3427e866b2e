import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { type Logger, destination, pino } from 'pino';
import type { BrokerConfig } from '../config/config.ts';
import { maskUrl } from '../config/mask.ts';

export type { Logger } from 'pino';

type Color = 'dim' | 'green' | 'yellow' | 'red';

/** pino's levels, as a person sees them. */
const LEVELS: Readonly<Record<number, { name: string; color: Color }>> = {
  10: { name: 'trace', color: 'dim' },
  20: { name: 'debug', color: 'dim' },
  30: { name: 'info ', color: 'green' },
  40: { name: 'warn ', color: 'yellow' },
  50: { name: 'error', color: 'red' },
  60: { name: 'fatal', color: 'red' },
};

/** What has a place of its own in a line for a person. */
const OMITTED = ['hostname', 'pid', 'level', 'time', 'msg', 'err'] as const;

/**
 * The broker's log: one JSON object a line, or lines for a person. Neither payloads nor headers nor
 * query strings are written; passwords in URLs are masked wherever they stand.
 * @param stream where to, instead of standard error
 */
export function createLogger(
  { level, format }: BrokerConfig['log'],
  stream: Writable & { readonly isTTY?: boolean } = process.stderr,
): Logger {
  const isPretty = format === 'pretty' || (format === 'auto' && stream.isTTY === true);
  const target = isPretty
    ? prettyStream(stream, stream.isTTY === true && !process.env['NO_COLOR'])
    : stream === process.stderr
      ? destination({ dest: 2, sync: true })
      : stream;
  return pino(
    {
      level,
      base: undefined,
      redact: {
        paths: ['password', 'passwordHash', 'digest', 'token', 'authorization', 'cookie'].flatMap(
          (key) => [key, `*.${key}`],
        ),
        censor: '***',
      },
      serializers: {
        err: describeError,
        req: ({ id, method, url }: { id: string; method: string; url: string }) => ({
          id,
          method,
          path: url.split('?', 1)[0],
        }),
        res: ({ statusCode }: { statusCode: number }) => ({ status: statusCode }),
      },
      hooks: {
        streamWrite: maskUrl,
      },
    },
    target,
  );
}

/** An error's own words and place; what hangs on it may be a payload. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  return {
    type: name,
    ...(code === undefined ? {} : { code }),
    message,
    stack,
    ...(cause === undefined ? {} : { cause: describeError(cause) }),
  };
}

/** `12:00:00.000 info  Listening url=http://127.0.0.1:7470` */
function prettyStream(stream: Writable, inColor: boolean): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      stream.write(formatLine(chunk.toString('utf8'), inColor), () => done());
    },
  });
}

/** @returns a line of JSON as a person reads it */
function formatLine(json: string, inColor: boolean): string {
  const record = JSON.parse(json) as Record<string, unknown> & {
    readonly level: number;
    readonly time: number;
    readonly msg?: string;
  };
  const { level, time, msg, err } = record;
  const { name, color } = LEVELS[level] ?? { name: String(level), color: 'dim' };
  const clock = new Date(time).toISOString().slice(11, 23);
  const fields = Object.entries(record)
    .filter(([key]) => !OMITTED.includes(key as (typeof OMITTED)[number]))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const paint = (style: Color, text: string): string =>
    inColor ? styleText(style, printable(text), { validateStream: false }) : printable(text);
  const parts = [paint('dim', clock), paint(color, name), printable(msg ?? '')];
  if (fields.length > 0) parts.push(paint('dim', fields.join(' ')));
  const { stack } = (err ?? {}) as { stack?: string };
  const below = stack === undefined ? [] : stack.split('\n').map(printable);
  return `${[parts.join(' '), ...below].join('\n')}\n`;
}

/** What clients send may stand in a line: it must not steer the terminal. */
function printable(text: string): string {
  return text.replaceAll(
    /\p{Cc}/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}
