/**
 * An HTTP server that parses what it is sent and answers as many results, and keeps nothing: what
 * is left of a broker when all that makes it one is taken away.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Served } from './broker.ts';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { messages = [{}] } = JSON.parse(Buffer.concat(chunks).toString()) as {
      messages?: unknown[];
    };
    const results = messages.map((_, index) => ({ ok: true, id: String(index), duplicate: false }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ results }));
  });
});
process.once('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.send!({ url: `http://127.0.0.1:${port}` } satisfies Served);
});
