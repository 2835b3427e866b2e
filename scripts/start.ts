/**
 * `npm start [-- options]`: runs the broker on the folder ./wherry-data, with the options of
 * `wherry serve`. With --demo it runs examples/github-webhooks/demo.ts against it, so that there is
 * something to see.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './find-files.ts';

const DEMO = '--demo';
/** One Ctrl-C comes several times: from the terminal, from npm and from tsx. */
const SAME_SIGNAL_MS = 500;

const args = process.argv.slice(2);
const program = join(root, 'packages/wherry/bin/wherry.js');
const options = args.filter((arg) => arg !== DEMO);
// In groups of their own: signals come to them through this process only, and each but once.
const broker = spawn(process.execPath, [program, 'serve', ...options], {
  stdio: ['ignore', 'pipe', 'inherit'],
  detached: true,
});
let demo: ChildProcess | undefined;

createInterface({ input: broker.stdout }).on('line', (line) => {
  console.log(line);
  const [, url] = /^HTTP API +(\S+)\/api\/v1$/.exec(line) ?? [];
  if (url !== undefined && args.includes(DEMO)) startDemo(url);
});

function startDemo(url: string): void {
  const file = join(root, 'examples/github-webhooks/demo.ts');
  demo = spawn(process.execPath, ['--import', 'tsx', file, url], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
}

let lastSignalAt = -Infinity;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    const now = performance.now();
    if (now - lastSignalAt < SAME_SIGNAL_MS) return;
    lastSignalAt = now;
    stop();
  });
}

/** The demo first: it has messages in hand, which it gives back to the broker. */
function stop(): void {
  const end = (): void => void broker.kill('SIGTERM');
  if (demo === undefined || demo.exitCode !== null || !demo.kill('SIGTERM')) end();
  else demo.once('exit', end);
}

broker.once('exit', (code) => {
  demo?.kill('SIGKILL');
  process.exitCode = code ?? 1;
});
