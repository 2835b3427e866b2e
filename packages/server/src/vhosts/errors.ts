import { MessageQueueError } from 'wherry';

/** No virtual host of this name. */
export class VhostNotFoundError extends MessageQueueError {
  constructor(name: string) {
    super(
      'VHOST_NOT_FOUND',
      `Virtual host '${name}' does not exist. Create it with PUT /vhosts/{vhost}.`,
    );
  }
}

/** Deleting a virtual host without `force` while it holds messages. Nothing was deleted. */
export class VhostNotEmptyError extends MessageQueueError {
  constructor(name: string, messages: number) {
    super(
      'VHOST_NOT_EMPTY',
      `Virtual host '${name}' holds ${messages} message(s). Consume or purge them first, ` +
        'or pass force=true to delete them with it.',
    );
  }
}
