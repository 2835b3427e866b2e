import type { Access } from '../../../access/access.ts';
import { AmqpError } from '../../../protocols/amqp/errors.ts';
import { methodIds } from '../../../protocols/amqp/methods.ts';
import type { Session } from './session.ts';

export interface RightsParts {
  readonly access: Access;
  readonly session: Session;
  /** For the throttle. */
  readonly address: string;
  /** Something else than before may be done here. */
  readonly changed: () => void;
  /** Nothing may be done here any more. */
  readonly lost: (reason: string) => void;
}

/** What the user of a connection may do: it changes with its account, for as long as it is open. */
export class Rights {
  readonly #parts: RightsParts;
  #unwatch: () => void = () => {};

  constructor(parts: RightsParts) {
    this.#parts = parts;
  }

  /** Takes the rights that the user has now, and from now on each time that they change. */
  watch(): void {
    const { access, session, changed, lost } = this.#parts;
    this.stop();
    const { user, vhost } = session;
    const identity = access.authenticator.renew(session.identity);
    if (identity === null) {
      lost(`user '${user}' may not log in any more`);
    } else if (session.become({ identity, user })) {
      this.#unwatch = access.whenRevoked(identity, () => this.watch());
      changed();
    } else {
      lost(`user '${user}' has no access to vhost '${vhost.name}' any more`);
    }
  }

  stop(): void {
    this.#unwatch();
    this.#unwatch = () => {};
  }

  /**
   * The bearer of a token shows a newer one. What a user has proved by a password or a certificate
   * does not expire: nothing that is shown for it matters, as in RabbitMQ.
   * @throws AmqpError 530 when it is no token @throws LoginThrottledError, PasswordsBusyError
   */
  async update(secret: string): Promise<void> {
    const { access, session, address } = this.#parts;
    if (session.identity.kind !== 'token') return;
    const identity = await access.authenticator.login(session.user, secret, address);
    if (identity?.kind !== 'token') {
      throw new AmqpError('not-allowed', 'New secret was refused by one of the backends', {
        method: methodIds('connection.update-secret'),
      });
    }
    session.become({ identity, user: identity.name });
    this.watch();
  }
}
