import { Agent, request } from 'node:http';

/** Calls an HTTP API over connections that stay open, with as little as that takes. */
export class HttpClient implements Disposable {
  readonly #url: string;
  readonly #agent: Agent;

  /** @param connections at most so many; more calls than that wait */
  constructor(url: string, connections: number) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** @throws Error when the answer is no success */
  async call<Answer>(method: string, path: string, body: unknown = {}): Promise<Answer> {
    const text = JSON.stringify(body);
    return new Promise<Answer>((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      };
      const options = { method, headers, agent: this.#agent };
      const sent = request(this.#url + path, options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString();
          const { statusCode = 0 } = response;
          if (statusCode >= 200 && statusCode < 300) resolve(JSON.parse(answer) as Answer);
          else reject(new Error(`${method} ${path} was answered ${statusCode}: ${answer}`));
        });
      });
      sent.on('error', reject);
      sent.end(text);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
