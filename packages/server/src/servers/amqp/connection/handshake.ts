import type { Socket } from 'node:net';
import { MessageQueueError } from 'wherry';
import { mayEnter } from '../../../access/permissions.ts';
import { AmqpError } from '../../../protocols/amqp/errors.ts';
import { type Method, type MethodArguments, methodIds } from '../../../protocols/amqp/methods.ts';
import { plainTable, type Table } from '../../../protocols/amqp/table.ts';
import type { AmqpVhosts } from './amqp-vhosts.ts';
import type { AmqpContext, AmqpVhost } from '../contracts.ts';
import { describeClient, type ShownClient } from './describe-connection.ts';
import { type Login, logIn, mechanismsFor } from './login.ts';
import type { Output } from './output.ts';
import { serverProperties } from './server-properties.ts';
import { agreeOnTune, offeredTune, type Tune } from './tune.ts';

/** What a client has said of itself, and what was agreed on, when it has opened its connection. */
export interface Opened extends Login {
  readonly vhost: AmqpVhost;
  readonly tune: Tune;
}

/** What a client says of itself before it logs in. */
export interface ClientInfo {
  /** For people. */
  readonly shown: ShownClient;
  readonly capabilities: ReadonlySet<string>;
}

export interface HandshakeParts {
  readonly broker: AmqpContext;
  readonly vhosts: AmqpVhosts;
  readonly socket: Socket;
  readonly output: Output;
  /** The client has said who it is, and must be believed up to here only. */
  readonly introduced: (client: ClientInfo) => void;
  readonly tuned: (tune: Tune) => void;
  readonly opened: (opened: Opened) => void;
}

/** The login was refused: the client is told if it can be, and else finds the connection closed. */
export class LoginRefusedError extends AmqpError {
  constructor(mechanism: string, reason?: string) {
    const why = reason ?? `Login was refused using authentication mechanism ${mechanism}.`;
    super('access-refused', `${why} For details see the broker logfile.`, { scope: 'connection' });
  }
}

type State = 'start' | 'tune' | 'open' | 'done';

const EXPECTED = {
  start: 'connection.start-ok',
  tune: 'connection.tune-ok',
  open: 'connection.open',
  done: null,
} as const satisfies Record<State, string | null>;

/** From the protocol header to connection.open-ok: one method of the client after the other. */
export class Handshake {
  readonly #parts: HandshakeParts;
  #state: State = 'start';
  #login: Login | null = null;
  #tune: Tune;

  constructor(parts: HandshakeParts) {
    this.#parts = parts;
    this.#tune = offeredTune(parts.broker.config.amqp);
  }

  /** Who is there has shown it. */
  get isLoggedIn(): boolean {
    return this.#login !== null;
  }

  begin(): void {
    const { broker, output, socket } = this.#parts;
    output.writer.method(0, 'connection.start', {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: serverProperties(broker),
      mechanisms: Buffer.from(mechanismsFor(socket)),
      locales: Buffer.from('en_US'),
    });
    output.flush();
  }

  /** Nothing else may be given to it until a promise has resolved. @throws AmqpError, or rejects with it */
  method(method: Method): Promise<void> | void {
    if (method.name !== EXPECTED[this.#state]) {
      throw new AmqpError(
        'command-invalid',
        `expected '${EXPECTED[this.#state]}', got '${method.name}'`,
        { method: methodIds(method.name) },
      );
    }
    switch (method.name) {
      case 'connection.start-ok':
        return this.#start(method.args);
      case 'connection.tune-ok':
        this.#tune = agreeOnTune(this.#tune, method.args);
        this.#state = 'open';
        this.#parts.tuned(this.#tune);
        return undefined;
      default:
        return this.#open(method.args.virtualHost);
    }
  }

  async #start({
    clientProperties,
    mechanism,
    response,
  }: MethodArguments['connection.start-ok']): Promise<void> {
    const { broker, output, socket, introduced } = this.#parts;
    introduced({
      shown: describeClient(plainTable(clientProperties)),
      capabilities: capabilitiesOf(clientProperties),
    });
    // A name as long as a short string may be must not fill the log.
    const shown = mechanism.slice(0, 40);
    try {
      this.#login = await logIn(broker.access, { mechanism, response, socket });
    } catch (error) {
      // Too many try at once, or too often.
      if (!(error instanceof MessageQueueError)) throw error;
      throw new LoginRefusedError(shown, error.message);
    }
    if (this.#login === null) throw new LoginRefusedError(shown);
    this.#state = 'tune';
    output.writer.method(0, 'connection.tune', this.#tune);
    output.flush();
  }

  async #open(name: string): Promise<void> {
    const { vhosts, output, opened } = this.#parts;
    const { identity, user } = this.#login!;
    const vhost = await vhosts.open(name);
    const refuse = (why: string): never => {
      throw new AmqpError('not-allowed', why, { method: methodIds('connection.open') });
    };
    if (vhost === undefined) return refuse(`vhost ${name} not found`);
    if (!mayEnter(identity, name)) refuse(`access to vhost '${name}' refused for user '${user}'`);
    this.#state = 'done';
    output.writer.method(0, 'connection.open-ok', {});
    output.flush();
    opened({ identity, user, vhost, tune: this.#tune });
  }
}

function capabilitiesOf(properties: Table): ReadonlySet<string> {
  const field = properties.get('capabilities');
  if (field?.type !== 'F') return new Set();
  return new Set(
    [...field.value].filter(([, value]) => value.type === 't' && value.value).map(([name]) => name),
  );
}
