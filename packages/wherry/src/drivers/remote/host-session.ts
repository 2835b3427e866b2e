import type { Driver, Housekeeper, TopologyChange } from '../../core/driver.ts';
import { MessageQueueError, StorageError, UnsupportedError } from '../../core/errors.ts';
import { giveBack, withinLimit } from './answer-limit.ts';
import { AnswerRoom, type Share } from './answer-room.ts';
import { noteCall } from './call-notes.ts';
import type { Channel } from './channel.ts';
import { checkEntry } from './check-entry.ts';
import { concernedQueues } from './concerned.ts';
import { HeldLeases } from './held-leases.ts';
import type { HostLimits } from './host-limits.ts';
import type { KnownQueues } from './known-queues.ts';
import { Link } from './link.ts';
import { after, monotonic, wallTime } from './timers.ts';
import { Reader, WireError, Writer } from './wire/bytes.ts';
import {
  type AnswerOf,
  type Call,
  callNamed,
  CALLS,
  type CallName,
  type RequestOf,
} from './wire/calls.ts';
import { type Codec, whole } from './wire/codec.ts';
import { failure, toFailure } from './wire/errors.ts';
import { emptyFrame, FRAME, frameOf, readWhole } from './wire/frames.ts';
import { makeMessage, MESSAGE, news } from './wire/messages.ts';
import { topologyChange } from './wire/outcomes.ts';

/** A call of the driver contract, as `authorize` is asked about it. */
export type HostedMethod = CallName;

export interface AcceptOptions {
  /** Names the client to people: who it is, and from where. */
  readonly client?: string;
  /**
   * Asked before each call; what it throws is the answer.
   * @param queueNames those that the call is about; a topology entry as `kind/name`
   */
  readonly authorize?: (method: HostedMethod, queueNames: readonly string[]) => void;
  /**
   * The client is a process of this machine: when its connection ends and no other comes at once, it
   * is dead, and what it held is free.
   */
  readonly isLocal?: boolean;
}

/** What sessions have in common. */
export interface SessionHost {
  readonly driver: Driver;
  readonly housekeeper: Housekeeper | undefined;
  readonly limits: HostLimits;
  readonly hiddenKinds: ReadonlySet<string>;
  readonly queues: KnownQueues;
  /** Bytes of calls under way, of all sessions. */
  underWay: number;
  follow(session: HostSession, queueNumber: number): () => void;
  /** A call has ended: there may be room for those that wait. */
  relieved(): void;
  /** It is not served any more. */
  drop(session: HostSession): void;
}

const FOLLOWED_MAX = 1_000_000;
/** How long a client may take to read the last of it. Milliseconds. */
const LEAVE_MAX_MS = 1_000;
/** One for all sessions: a frame is written in one go. */
const writer = new Writer();
/** Of what is not confirmed in the end, so much: a client that does not confirm is not a client. */
const UNCONFIRMED_FACTOR = 4;

/** The host's end of a session with a client, over one channel after the other. */
export class HostSession {
  readonly since: number = wallTime();
  options: AcceptOptions;
  readonly held: HeldLeases = new HeldLeases();
  /** Silent for longer than this, its connection is dead. Milliseconds. */
  quietMax: number = Infinity;
  lastHeard: number = monotonic();
  calls: number = 0;
  callsUnderWay: number = 0;
  channel: Channel | null = null;
  #bytesUnderWay = 0;
  readonly #host: SessionHost;
  readonly #link = new Link();
  readonly #room: AnswerRoom;
  readonly #followed = new Map<number, () => void>();
  readonly #news = { ready: new Set<number>(), room: new Set<number>() };
  #isTelling = false;
  #isWatching = false;
  #onIdle: () => void = () => undefined;

  constructor(host: SessionHost, options: AcceptOptions) {
    this.#host = host;
    this.options = options;
    const { bytesPerClient } = host.limits;
    const max = bytesPerClient * UNCONFIRMED_FACTOR;
    this.#room = new AnswerRoom(bytesPerClient, max, () => this.#link.unconfirmedBytes);
  }

  get received(): number {
    return this.#link.received;
  }

  get followedQueues(): number[] {
    return [...this.#followed.keys()];
  }

  /** It is made to wait: it has more under way than it may, or does not read its answers. */
  get isOverloaded(): boolean {
    const { callsPerClient, bytesPerClient } = this.#host.limits;
    const bytes = this.#bytesUnderWay + (this.channel?.bufferedAmount ?? 0);
    return this.callsUnderWay >= callsPerClient || bytes > bytesPerClient;
  }

  /** @param received data frames of this side that the client has @throws WireError */
  attach(channel: Channel, received: number): void {
    this.channel = channel;
    this.lastHeard = monotonic();
    if (!this.#link.attach(channel, received)) throw new WireError('A confirmation');
    this.#room.goOn();
    this.#tellNews();
  }

  detach(): void {
    this.channel = null;
    this.#link.detach();
  }

  /** Bytes came. @param isWithin a frame, behind which the client's own signs of life wait */
  heard(isWithin: boolean): void {
    this.lastHeard = monotonic();
    if (isWithin) this.#link.post(emptyFrame(FRAME.pong));
  }

  /** A frame from the client. @returns whether it leaves @throws WireError */
  receive(type: number, payload: Uint8Array): boolean {
    this.lastHeard = monotonic();
    const from = new Reader(payload);
    if (type === FRAME.data) {
      this.#link.count(payload.length);
      this.#receiveData(from, payload.length);
    } else if (type === FRAME.received) {
      if (!this.#link.confirm(readWhole(from, whole))) throw new WireError('A confirmation');
      this.#room.goOn();
      this.#tellNews();
    } else if (type === FRAME.ping) this.#link.post(emptyFrame(FRAME.pong));
    else if (type === FRAME.goodbye) return true;
    else if (type !== FRAME.pong) throw new WireError('The kind of a frame');
    return false;
  }

  /** A queue that it follows has news. */
  addNews(queueNumber: number, what: 'ready' | 'room'): void {
    this.#news[what].add(queueNumber);
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      this.#tellNews();
    });
  }

  addChange(changed: TopologyChange): void {
    if (!this.#isWatching || this.#isHidden(changed)) return;
    this.#send(MESSAGE.change, topologyChange, changed);
  }

  /** Begins no more calls. @returns when none is under way */
  idle(): Promise<void> {
    this.#room.clear();
    if (this.callsUnderWay === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onIdle = resolve));
  }

  /** Says that no more is taken, and ends the channel. */
  leave(): void {
    this.#stopFollowing();
    this.#link.post(frameOf(FRAME.gone, whole, this.#link.received));
    this.#link.flush();
    const { channel } = this;
    if (channel === null) return;
    channel.close();
    after(LEAVE_MAX_MS, () => channel.destroy(), { keepAlive: false });
  }

  /** It does not come back. @param isDead so that nothing lives on that lived and died with it */
  async end(isDead: boolean): Promise<void> {
    this.#room.clear();
    this.channel?.destroy();
    this.detach();
    this.#stopFollowing();
    if (!isDead) return;
    await this.idle();
    if (this.held.size === 0) return;
    await this.held.end(this.#host.driver);
    this.#host.housekeeper?.expectWithin(1);
  }

  #stopFollowing(): void {
    for (const stop of this.#followed.values()) stop();
    this.#followed.clear();
  }

  #receiveData(from: Reader, bytes: number): void {
    const kind = from.u8();
    if (kind === MESSAGE.call) this.#receiveCall(from, bytes);
    else if (kind === MESSAGE.follow) {
      const queueNumber = readWhole(from, whole);
      if (this.#followed.has(queueNumber)) return;
      if (this.#followed.size >= FOLLOWED_MAX) throw new WireError('The number of followed queues');
      this.#followed.set(queueNumber, this.#host.follow(this, queueNumber));
    } else if (kind === MESSAGE.unfollow) {
      const queueNumber = readWhole(from, whole);
      this.#followed.get(queueNumber)?.();
      this.#followed.delete(queueNumber);
    } else if (kind === MESSAGE.watch) this.#isWatching = true;
    else throw new WireError('The kind of a message');
  }

  #receiveCall(from: Reader, bytes: number): void {
    const number = from.varint();
    const callNumber = from.varint();
    const name = callNamed(callNumber);
    if (name === undefined) {
      const reason = `it does not know call ${callNumber}; upgrade the broker`;
      this.#fail(number, new UnsupportedError('this call', 'broker', reason));
      return;
    }
    // The table's row; what is read is what it runs with and answers.
    const call = CALLS[name] as unknown as Call<unknown, unknown>;
    const request = readWhole(from, call.request);
    const isTaken = this.#room.enter(name, (share) => {
      this.#began(bytes);
      this.#run(name, call, request, share)
        .then(
          (answer) => this.#answer(number, call, answer),
          (error: unknown) => this.#fail(number, error),
        )
        .finally(() => {
          this.#ended(bytes);
          this.#room.leave(share);
        });
    });
    if (!isTaken) this.#fail(number, tooManyWait());
  }

  async #run(
    name: CallName,
    call: Call<unknown, unknown>,
    request: unknown,
    share: Share,
  ): Promise<unknown> {
    const { driver, housekeeper, queues } = this.#host;
    this.options.authorize?.(name, concernedQueues(name, request));
    this.#refuseHidden(name, request);
    if (name === 'topology.put') checkEntry(request as RequestOf<'topology.put'>);
    // What a client holds does not live and die with this process.
    const given = name === 'take' ? { ...(request as RequestOf<'take'>), bound: false } : request;
    const answer = await withinLimit(driver, name, given, await queues.run(name, call, given));
    if (name === 'take') {
      const { messages } = answer as AnswerOf<'take'>;
      const size = messages.reduce((sum, message) => sum + message.bytes, 0);
      if (!this.#room.took(share, size)) {
        await giveBack(driver, (request as RequestOf<'take'>).queue, messages);
        return { messages: [], retryIn: 1 };
      }
    }
    this.held.note(name, request, answer);
    if (housekeeper !== undefined) noteCall(housekeeper, name, request, answer);
    if (name !== 'topology.load') return answer;
    return (answer as { readonly kind: string }[]).filter(
      ({ kind }) => !this.#host.hiddenKinds.has(kind),
    );
  }

  #began(bytes: number): void {
    this.calls += 1;
    this.callsUnderWay += 1;
    this.#bytesUnderWay += bytes;
    this.#host.underWay += bytes;
  }

  #ended(bytes: number): void {
    this.callsUnderWay -= 1;
    this.#bytesUnderWay -= bytes;
    this.#host.underWay -= bytes;
    if (this.callsUnderWay === 0) this.#onIdle();
    this.#host.relieved();
  }

  #answer(number: number, call: Call<unknown, unknown>, answer: unknown): void {
    const codec: Codec<unknown> = {
      write: (out) => {
        out.varint(number);
        call.answer.write(out, answer);
      },
      read: () => undefined,
    };
    try {
      this.#send(MESSAGE.answer, codec, answer);
    } catch (error) {
      this.#fail(number, error);
    }
  }

  #fail(number: number, error: unknown): void {
    const frame = makeMessage(writer, MESSAGE.failure, (out) => {
      out.varint(number);
      failure.write(out, toFailure(error));
    });
    this.#sendFrame(frame);
  }

  #send<T>(kind: number, codec: Codec<T>, value: T): void {
    this.#sendFrame(makeMessage(writer, kind, (out) => codec.write(out, value)));
  }

  #sendFrame(frame: Buffer): void {
    this.#link.send(frame);
    const limit = this.#host.limits.bytesPerClient * UNCONFIRMED_FACTOR;
    if (this.#link.unconfirmedBytes > limit) this.#host.drop(this);
  }

  /** One who does not read is told later, of all that there was, once. */
  #tellNews(): void {
    const { ready, room } = this.#news;
    if (ready.size + room.size === 0 || this.channel === null) return;
    if (this.#link.unconfirmedBytes > this.#host.limits.bytesPerClient) return;
    this.#send(MESSAGE.news, news, { ready: [...ready], room: [...room] });
    ready.clear();
    room.clear();
  }

  #isHidden(changed: TopologyChange): boolean {
    const { kind } = changed.type === 'put' ? changed.entry : changed;
    return this.#host.hiddenKinds.has(kind);
  }

  #refuseHidden(name: CallName, request: unknown): void {
    if (name !== 'topology.put' && name !== 'topology.remove') return;
    const { kind } = request as RequestOf<'topology.put' | 'topology.remove'>;
    if (!this.#host.hiddenKinds.has(kind)) return;
    throw new MessageQueueError('FORBIDDEN', `Entries of kind '${kind}' are the broker's own.`);
  }
}

function tooManyWait(): StorageError {
  return new StorageError(
    'More calls of this client wait for room than the broker keeps. Nothing was changed. ' +
      'Make fewer at once, and try again.',
    { code: 'STORAGE_REFUSED', retriable: true },
  );
}
