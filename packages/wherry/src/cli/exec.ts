import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_LIMITS } from '../core/limits.ts';
import type { Envelope } from '../core/message.ts';
import { payloadBytes } from './message-line.ts';

/** How a command that was given a message ended. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it counts as failed; null: it exited with 0. */
  readonly failure: string | null;
  /** It was ended because the consumer had to stop. */
  readonly givenUp: boolean;
}

export interface CommandOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Milliseconds after which the command is ended. */
  readonly timeoutMs: number | undefined;
  readonly giveUp: AbortSignal;
  readonly onStdout: (chunk: Buffer) => Promise<void>;
  readonly onStderr: (chunk: Buffer) => Promise<void>;
}

/** How much of a failed command's standard error is kept with the message: what fits its death record. */
const STDERR_TAIL_BYTES = DEFAULT_LIMITS.errorLength - 100;
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 5_000;
/** A process left behind by the command may hold its output open; it is not waited for. */
const OUTPUT_AFTER_EXIT_MS = 500;

/** Runs a shell command with the payload on its standard input and the envelope in its environment. */
export async function runCommand(
  command: string,
  envelope: Envelope,
  options: CommandOptions,
): Promise<CommandResult> {
  const child = spawn(command, {
    shell: true,
    // A group of its own: Ctrl-C reaches the consumer, which lets the command finish.
    detached: process.platform !== 'win32',
    env: { ...options.env, ...envelopeVariables(envelope) },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stop = new Stopper(child);
  const timeout = setTimeout(() => stop.now('timeout'), options.timeoutMs ?? 2 ** 31 - 1);
  const giveUp = (): void => stop.now('given up');
  if (options.giveUp.aborted) giveUp();
  else options.giveUp.addEventListener('abort', giveUp);
  // A command need not read its input: the broken pipe is not an error then.
  child.stdin.on('error', () => {});
  child.stdin.end(payloadBytes(envelope.message.payload));
  const stderr = new Tail(STDERR_TAIL_BYTES);
  const output = Promise.all([
    forward(child.stdout, options.onStdout),
    forward(child.stderr, (chunk) => {
      stderr.push(chunk);
      return options.onStderr(chunk);
    }),
  ]);
  const ended = await exit(child);
  await Promise.race([output, delay(OUTPUT_AFTER_EXIT_MS, undefined, { ref: false })]);
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  clearTimeout(timeout);
  options.giveUp.removeEventListener('abort', giveUp);
  stop.done();
  const failure = failureOf(ended, stop.cause === 'timeout', stderr.text());
  return {
    exitCode: ended.code,
    signal: ended.signal,
    failure,
    givenUp: stop.cause === 'given up',
  };
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

function exit(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => resolve({ code: null, signal: null, error }));
  });
}

function failureOf(
  { code, signal, error }: Exit,
  timedOut: boolean,
  stderr: string,
): string | null {
  if (code === 0 && !timedOut) return null;
  const how =
    error?.message ??
    (timedOut ? 'took too long' : signal === null ? `exit code ${code}` : `ended by ${signal}`);
  return stderr === '' ? `command: ${how}` : `command: ${how}: ${stderr}`;
}

async function forward(stream: Readable, to: (chunk: Buffer) => Promise<void>): Promise<void> {
  try {
    for await (const chunk of stream) await to(chunk as Buffer);
  } catch {
    // Destroyed after the exit: what a process left behind goes on saying is not the command's.
  }
}

/** Commands under way, ended with this process should it end before them. */
const underWay = new Set<Stopper>();
process.on('exit', () => {
  for (const stopper of underWay) stopper.kill('SIGTERM');
});

/** Ends a command and what it started: kindly, then for good. */
class Stopper {
  cause: 'timeout' | 'given up' | null = null;
  readonly #child: ChildProcess;
  #hard: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    underWay.add(this);
  }

  now(cause: 'timeout' | 'given up'): void {
    this.cause ??= cause;
    this.kill('SIGTERM');
    this.#hard ??= setTimeout(() => this.kill('SIGKILL'), KILL_AFTER_MS);
  }

  kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      if (process.platform === 'win32') this.#child.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // Gone already.
    }
  }

  done(): void {
    clearTimeout(this.#hard);
    underWay.delete(this);
  }
}

/** The last bytes of a stream. */
class Tail {
  readonly #limit: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(-this.#limit)]).subarray(-this.#limit);
  }

  text(): string {
    return this.#bytes.toString('utf8').trim();
  }
}

/** The envelope's facts for a shell: `WHERRY_ID`, `WHERRY_QUEUE`, …; what is not set is not there. */
function envelopeVariables(envelope: Envelope): Record<string, string> {
  const { message } = envelope;
  const facts = {
    ID: envelope.id,
    QUEUE: envelope.queueName,
    TIMESTAMP: envelope.timestamp,
    PRIORITY: envelope.priority,
    RETRY_COUNT: envelope.retryCount,
    DELIVERY_COUNT: envelope.deliveryCount,
    HEADERS: JSON.stringify(message.headers ?? {}),
    CONTENT_TYPE: message.contentType,
    GROUP_ID: message.groupId,
    DEDUPLICATION_ID: message.deduplicationId,
    CORRELATION_ID: message.correlationId,
    REPLY_TO: message.replyTo,
    MESSAGE_ID: message.messageId,
  };
  // The environment ends a value at a NUL, and Node refuses one.
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) =>
      value === undefined ? [] : [[`WHERRY_${name}`, String(value).replaceAll('\0', '�')]],
    ),
  );
}
