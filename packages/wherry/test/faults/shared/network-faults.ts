import { setTimeout as sleep } from 'node:timers/promises';
import type { TcpProxy } from '../../servers/tcp-proxy.ts';
import type { Fault } from './fault-run.ts';

/**
 * What a network can do to one process, while the others go on.
 * @param silence milliseconds after which the store takes a silent connection for dead
 */
export function networkFaults(proxy: TcpProxy, silence: number): Fault[] {
  return [
    { name: 'connections reset', strike: async () => proxy.cut() },
    {
      name: 'connections reset ten times',
      strike: async () => {
        for (let i = 0; i < 10; i++) {
          proxy.cut();
          await sleep(30);
        }
      },
    },
    {
      name: 'connections reset and refused for 1 s',
      strike: async () => {
        proxy.refuse();
        proxy.cut();
        await sleep(1_000);
        proxy.accept();
      },
    },
    { name: 'connections closed', strike: async () => proxy.closeGracefully() },
    {
      name: 'each way 50 ms longer for 1 s',
      strike: async () => {
        proxy.latency(50);
        await sleep(1_000);
        proxy.latency(0);
      },
    },
    {
      name: 'everything swallowed for 2 s, then reset',
      strike: async () => {
        proxy.stall();
        await sleep(2_000);
        proxy.resume();
      },
    },
    { name: 'connections half open', strike: async () => proxy.freeze(), within: silence + 15_000 },
  ];
}
