import type { Socket } from 'node:net';
import type { Channel } from './channel.ts';

/** A channel over a connected socket. */
export function socketChannel(socket: Socket): Channel {
  const channel: Channel = {
    send: (bytes) => {
      if (socket.writable) socket.write(bytes);
    },
    close: () => {
      // It may be paused, and its end would never be seen.
      socket.resume();
      socket.end(() => socket.destroy());
    },
    destroy: () => socket.destroy(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    get bufferedAmount() {
      return socket.writableLength;
    },
    onBytes: () => undefined,
    onClose: () => undefined,
  };
  let failure: Error | undefined;
  socket.on('data', (bytes) => channel.onBytes(bytes));
  socket.on('error', (error) => (failure = error));
  socket.on('close', () => channel.onClose(failure));
  return channel;
}
