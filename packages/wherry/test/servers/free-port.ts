import { createServer } from 'node:net';

/**
 * Below what the kernel gives to clients: a client that keeps trying a server that is down must not
 * be given the server's own port. A Redis Cluster also takes the port 10,000 above.
 */
const PORTS = { first: 10_240, count: 12_000, cluster: 10_000 };

/** @returns a port of the loopback address that nobody listens on */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if ((await isFree(port)) && (await isFree(port + PORTS.cluster))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isListening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
  });
  if (isListening) await new Promise((resolve) => server.close(resolve));
  return isListening;
}
