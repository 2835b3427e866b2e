import { test } from 'node:test';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { conformanceSuite } from '../../src/testing/index.ts';

conformanceSuite({
  name: 'memory',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: {
    reopen: 'nothing survives close: durability is none',
    crash: 'nothing survives the process: durability is none',
  },
  createStore: async (clock) => ({
    connect: () => createMemoryDriver({ clock }),
    remove: async () => undefined,
  }),
});
