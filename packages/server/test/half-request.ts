import { once } from 'node:events';
import { type Socket, connect } from 'node:net';

/** A client that has sent one byte of its body, and goes on with nothing. The caller destroys it. */
export async function sendHalf(url: string): Promise<Socket> {
  const { hostname, port, host, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  // It is cut in the end.
  socket.on('error', () => {});
  await once(socket, 'connect');
  const head = ['content-type: application/json', 'content-length: 100', `host: ${host}`];
  socket.write(`POST ${pathname} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n{`);
  return socket;
}
