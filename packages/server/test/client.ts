import assert from 'node:assert/strict';

/** What a broker has answered. */
export interface Answer<Body = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** Talks to a broker's API as somebody. */
export class Client {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param headers what shows who asks */
  constructor(broker: { readonly url: string }, headers: Readonly<Record<string, string>> = {}) {
    this.#url = `${broker.url}/api/v1`;
    this.#headers = headers;
  }

  /** @param path `queues/a` of the default virtual host; `vhosts/x/queues/a` of another */
  async ask<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<Body>> {
    const json: Record<string, string> =
      body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`${this.#url}/${path}`, {
      method,
      headers: { ...json, ...this.#headers, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson && text !== '' ? JSON.parse(text) : text) as Body,
    };
  }

  /** The same, and it must succeed. */
  async call<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Body> {
    const answer = await this.ask<Body>(method, path, body);
    assert.ok(
      answer.status < 300,
      `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`,
    );
    return answer.body;
  }

  /** Asks until it is so, at most ten seconds. */
  async until<Body>(
    method: string,
    path: string,
    isSo: (answer: Answer<Body>) => boolean,
  ): Promise<void> {
    const deadline = Date.now() + 10_000;
    let answer = await this.ask<Body>(method, path);
    while (!isSo(answer)) {
      assert.ok(Date.now() < deadline, `${method} ${path}: ${JSON.stringify(answer)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      answer = await this.ask<Body>(method, path);
    }
  }
}
