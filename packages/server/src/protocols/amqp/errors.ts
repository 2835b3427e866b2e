import { REPLY, type ReplyName, SOFT_ERRORS } from './reply-codes.ts';

/** Bytes of a reply text, which is a short string. */
const TEXT_MAX = 255;
const ELLIPSIS = '...';

/** The method that failed, as channel.close and connection.close name it. */
export interface MethodIds {
  readonly classId: number;
  readonly methodId: number;
}

export interface AmqpErrorOptions {
  /** What the error closes. By default the channel for a soft error of the specification. */
  readonly scope?: 'channel' | 'connection' | undefined;
  readonly method?: MethodIds | undefined;
  readonly cause?: unknown;
}

/**
 * What closes a channel or a connection. The message is the reply text as RabbitMQ writes it, for
 * example "NOT_FOUND - no queue 'x' in vhost '/'", cut so that it fits into a short string.
 */
export class AmqpError extends Error {
  readonly reply: ReplyName;
  /** The reply code: 404 of not-found. */
  readonly code: number;
  readonly scope: 'channel' | 'connection';
  readonly method?: MethodIds;
  /** The message without the name of the reply, uncut. */
  readonly explanation: string;

  /**
   * @param reply the name of the reply code, as 'not-found'
   * @param explanation what is wrong, without the name of the reply
   */
  constructor(reply: ReplyName, explanation: string, options: AmqpErrorOptions = {}) {
    const text = `${reply.toUpperCase().replaceAll('-', '_')} - ${explanation}`;
    super(cutText(text), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.reply = reply;
    this.code = REPLY[reply];
    this.scope = options.scope ?? (SOFT_ERRORS.has(reply) ? 'channel' : 'connection');
    if (options.method !== undefined) this.method = options.method;
    this.explanation = explanation;
  }
}

/** The bytes of a frame are not what its type asks for. */
export class AmqpSyntaxError extends AmqpError {
  constructor(explanation: string, options?: AmqpErrorOptions) {
    super('syntax-error', explanation, options);
  }
}

/** No method has this number. */
export class UnknownMethodError extends AmqpError {
  constructor(method: MethodIds) {
    super(
      'not-implemented',
      `there is no method ${method.methodId} of class ${method.classId} in AMQP 0-9-1`,
      { method },
    );
  }
}

/** The stream of bytes cannot be divided into frames: nothing that follows can be read either. */
export class FramingError extends AmqpError {
  constructor(explanation: string) {
    super('frame-error', explanation);
  }
}

function cutText(text: string): string {
  if (Buffer.byteLength(text) <= TEXT_MAX) return text;
  const bytes = Buffer.from(text);
  let end = TEXT_MAX - ELLIPSIS.length;
  // Not within a character: its later bytes begin with the bits 10.
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end) + ELLIPSIS;
}
