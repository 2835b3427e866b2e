import { MessageQueueError } from 'wherry';

/** No credentials, or wrong ones. Which of the two is not said. */
export class UnauthenticatedError extends MessageQueueError {
  constructor() {
    super(
      'UNAUTHENTICATED',
      'Credentials are needed, or those given are wrong. ' +
        'Send Authorization: Bearer TOKEN, or Basic with a user and password.',
    );
  }
}

/** The identity is known, and may not do this. */
export class ForbiddenError extends MessageQueueError {
  /** @param what 'write 'emails' in the virtual host '/'' */
  constructor(who: string, what: string) {
    super('FORBIDDEN', `'${who}' may not ${what}. Ask an administrator for the permission.`);
  }
}

/** The request's `Host` is none of this broker's: it may come from a page that rebinds its DNS name. */
export class HostNotAllowedError extends MessageQueueError {
  constructor(host: string) {
    super(
      'HOST_NOT_ALLOWED',
      `The host '${host.slice(0, 100)}' is not one of this broker's names. ` +
        'Use localhost or an IP address, send credentials in the Authorization header, ' +
        'or add the name to allowedHosts.',
    );
  }
}

/** A page of another origin asks in the name of whoever looks at it. */
export class OriginNotAllowedError extends MessageQueueError {
  constructor(origin: string) {
    super(
      'ORIGIN_NOT_ALLOWED',
      `Pages of '${origin.slice(0, 100)}' may not use this broker. ` +
        'Add the origin to allowedOrigins if it is yours.',
    );
  }
}

/** A request with a session cookie changes something, and does not show the session's token. */
export class CsrfError extends MessageQueueError {
  constructor() {
    super(
      'CSRF',
      'A request with a session cookie needs the header X-Wherry-CSRF, ' +
        'with the csrfToken that POST /session and GET /session answer.',
    );
  }
}

/** Turned away for now. */
class BusyError extends MessageQueueError {
  /** Seconds until it makes sense to come again. */
  readonly retryAfter: number;

  constructor(code: string, message: string, retryAfter: number) {
    super(code, message);
    this.retryAfter = retryAfter;
  }
}

/** Too many failed logins, of this name or from this address. */
export class LoginThrottledError extends BusyError {
  constructor(retryAfter: number) {
    super(
      'LOGIN_THROTTLED',
      `Too many failed logins. Try again in ${retryAfter} s, or use a token.`,
      retryAfter,
    );
  }
}

/** As many passwords as may wait wait to be hashed or checked. */
export class PasswordsBusyError extends BusyError {
  constructor(limit: number) {
    super(
      'OVERLOADED',
      `${limit} passwords wait to be checked, which is the limit. Try again in 2 s, or use a token.`,
      2,
    );
  }
}

/** No user of this name. */
export class UserNotFoundError extends MessageQueueError {
  constructor(name: string) {
    super('USER_NOT_FOUND', `User '${name}' does not exist. Create it with PUT /users/{user}.`);
  }
}

/** No token of this name. */
export class TokenNotFoundError extends MessageQueueError {
  constructor(name: string) {
    super('TOKEN_NOT_FOUND', `Token '${name}' does not exist. Create it with POST /tokens.`);
  }
}

/** A token of this name exists; its secret cannot be told again. Nothing was changed. */
export class NameTakenError extends MessageQueueError {
  constructor(name: string) {
    super('NAME_TAKEN', `Token '${name}' exists. Choose another name, or delete that one first.`);
  }
}

/** Nobody could administer the broker any more. Nothing was changed. */
export class LastAdminError extends MessageQueueError {
  constructor() {
    super(
      'LAST_ADMIN',
      'Then nobody could administer the broker for good. Create another user with admin: true first.',
    );
  }
}

/** Accounts of the configuration are changed there. */
export class AccountReadOnlyError extends MessageQueueError {
  constructor(kind: 'User' | 'Token', name: string) {
    super(
      'ACCOUNT_READ_ONLY',
      `${kind} '${name}' stands in the broker's configuration. Change it there, and reload.`,
    );
  }
}

/** There are as many as there may be. Nothing was made. */
export class LimitReachedError extends MessageQueueError {
  constructor(what: string, limit: number) {
    super('LIMIT_REACHED', `There are ${limit} ${what}, which is the limit. Delete one first.`);
  }
}
