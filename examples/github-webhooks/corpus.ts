import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A webhook as it arrives from GitHub. */
export interface Webhook {
  /** Unique, as the `X-GitHub-Delivery` header of the real ones is. */
  readonly delivery: string;
  readonly event: string;
  readonly routingKey: string;
  /** The body as bytes: a signature could not be verified on anything else. */
  readonly body: Uint8Array;
  /** The body's SHA-256. */
  readonly digest: string;
}

/** How `@octokit/webhooks-examples` lists the payloads of one event. */
interface EventExamples {
  readonly name: string;
  readonly examples: readonly { readonly action?: string }[];
}

/**
 * Every example payload of the package: those of github.com and those of each GitHub Enterprise
 * version. Some bodies occur several times, so a digest alone does not tell two webhooks apart.
 */
export function loadWebhooks(): Webhook[] {
  const manifest = import.meta.resolve('@octokit/webhooks-examples/package.json');
  const folder = dirname(fileURLToPath(manifest));
  const editions = readdirSync(folder, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  return editions.flatMap(({ name: edition }) => {
    const text = readFileSync(join(folder, edition, 'index.json'), 'utf8');
    const events = JSON.parse(text) as EventExamples[];
    return events.flatMap(({ name: event, examples }) =>
      examples.map((payload, n) => {
        const body = Buffer.from(JSON.stringify(payload));
        const delivery = `${edition}/${event}/${n + 1}`;
        const routingKey = routingKeyOf(event, payload.action);
        return { delivery, event, routingKey, body, digest: digestOf(body) };
      }),
    );
  });
}

/**
 * `<event>.<action>`, and `<event>.none` for the events that have no action, such as push. So each
 * key has two words, and `push.*` matches every push as `issues.*` matches every issue: in a topic
 * pattern `*` stands for exactly one word, and would not match a bare `push`. (`#` stands for any
 * number of words, none included, so `push.#` does either way.)
 */
export function routingKeyOf(event: string, action = 'none'): string {
  // The sender of a repository_dispatch names its action; a dot in it would make a third word.
  return `${event}.${action.replaceAll('.', '_')}`;
}

export function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
