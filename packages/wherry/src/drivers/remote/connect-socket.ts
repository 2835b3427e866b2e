import { connect } from 'node:net';
import type { Channel } from './channel.ts';
import { socketChannel } from './socket-channel.ts';

/** @param path of a Unix domain socket @throws what the system says */
export function connectSocket(path: string, signal: AbortSignal): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const abort = (): void => void socket.destroy(new Error('The attempt was given up.'));
    const settle = (): void => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort);
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      settle();
      socket.off('error', fail);
      resolve(socketChannel(socket));
    });
  });
}
