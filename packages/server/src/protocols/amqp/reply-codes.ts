// Written by `npm run generate:amqp` from packages/server/spec. Do not change it by hand.

export const REPLY = {
  'reply-success': 200,
  'content-too-large': 311,
  'no-route': 312,
  'no-consumers': 313,
  'access-refused': 403,
  'not-found': 404,
  'resource-locked': 405,
  'precondition-failed': 406,
  'connection-forced': 320,
  'invalid-path': 402,
  'frame-error': 501,
  'syntax-error': 502,
  'command-invalid': 503,
  'channel-error': 504,
  'unexpected-frame': 505,
  'resource-error': 506,
  'not-allowed': 530,
  'not-implemented': 540,
  'internal-error': 541,
} as const;

export type ReplyName = keyof typeof REPLY;

/** What closes only the channel; every other error closes the connection. */
export const SOFT_ERRORS: ReadonlySet<ReplyName> = new Set([
  'content-too-large',
  'no-route',
  'no-consumers',
  'access-refused',
  'not-found',
  'resource-locked',
  'precondition-failed',
] as const);
