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
   * The user shows a newer password, or a newer token.
   * @throws AmqpError 530 when it is wrong, or somebody else's @throws LoginThrottledError, PasswordsBusyError
   */
  async update(secret: string): Promise<void> {
    const { access, session, address } = this.#parts;
    const { identity: former, user } = session;
    const identity = await access.authenticator.login(user, secret, address);
    // Tokens are told apart by their names: a newer one has another.
    const isSame =
      identity?.kind === former.kind &&
      (identity.kind === 'token' || identity.name === former.name);
    if (identity === null || !isSame) {
      throw new AmqpError('not-allowed', 'New secret was refused by one of the backends', {
        method: methodIds('connection.update-secret'),
      });
    }
    session.become({ identity, user: identity.kind === 'token' ? identity.name : user });
    this.watch();
  }
}
