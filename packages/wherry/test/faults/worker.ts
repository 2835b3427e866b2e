/**
 * A process with a store of its own, told by its first argument what to do there. It ends when its
 * parent does.
 */
import { hold } from './worker/hold.ts';
import { jump } from './worker/jump.ts';
import type { Job } from './worker/parent.ts';
import { send } from './worker/send.ts';

const JOBS: Readonly<Record<string, Job>> = { send, hold, jump };

const [what = '', path = '', ...args] = process.argv.slice(2);
process.stdin.on('close', () => process.exit());
await JOBS[what]!(path, args);
