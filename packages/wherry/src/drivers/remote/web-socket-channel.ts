import type { Channel } from './channel.ts';

/** What is used of a `WebSocket` of the package ws, on either side, once it is open. */
export interface WebSocketLike {
  readonly bufferedAmount: number;
  readonly readyState: number;
  binaryType: string;
  send(data: Uint8Array, options: { binary: true; compress: false }): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  on(event: 'message', listener: (data: unknown, isBinary: boolean) => void): unknown;
  on(event: 'close', listener: (code: number, reason: Uint8Array) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

const OPEN = 1;
/** Bytes of one message: below what servers and proxies refuse. */
const MESSAGE_MAX = 512 * 1024;
/**
 * A channel over an open WebSocket: its binary messages are the stream, cut anywhere.
 * @param socket of the package ws; nobody else may listen to its messages
 */
export function webSocketChannel(socket: WebSocketLike): Channel {
  const channel: Channel = {
    send: (bytes) => {
      if (socket.readyState !== OPEN) return;
      for (let at = 0; at < bytes.length; at += MESSAGE_MAX) {
        const piece = bytes.length <= MESSAGE_MAX ? bytes : bytes.subarray(at, at + MESSAGE_MAX);
        socket.send(piece, { binary: true, compress: false });
      }
    },
    close: () => socket.close(1000),
    destroy: () => socket.terminate(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    onBytes: () => undefined,
    onClose: () => undefined,
  };
  socket.binaryType = 'nodebuffer';
  let failure: Error | undefined;
  socket.on('message', (data, isBinary) => {
    if (isBinary && data instanceof Uint8Array) channel.onBytes(data);
    else socket.terminate();
  });
  socket.on('error', (error) => (failure = error));
  socket.on('close', (code, reason) => {
    channel.onClose(failure ?? (code === 1000 ? undefined : closedWith(code, reason)));
  });
  return channel;
}

function closedWith(code: number, reason: Uint8Array): Error {
  const told = Buffer.from(reason).toString();
  return new Error(`closed with ${code}${told === '' ? '' : ` ${told}`}`);
}
