/**
 * Runs fragments of pages, in order: `run-fragments.ts PLAN`. Those of one page share an open store.
 * Writes one line of JSON for each: how it ended and what it printed.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format } from 'node:util';
import { MessageQueueSystem } from '../../src/index.ts';

interface Fragment {
  readonly file: string;
  readonly page: string;
  readonly prints: readonly string[] | null;
}

/** Real time for what a fragment set off to be printed. */
const PATIENCE_MS = 5_000;

const report = console.log.bind(console);
const printed: string[] = [];
console.log = (...values: unknown[]) => {
  printed.push(...format(...values).split('\n'));
};

const plan = JSON.parse(await readFile(process.argv[2]!, 'utf8')) as readonly Fragment[];
for (const page of new Set(plan.map((fragment) => fragment.page))) {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-docs-'));
  process.chdir(folder);
  const mq = await MessageQueueSystem.open({ storage: folder });
  for (const fragment of plan) if (fragment.page === page) await runFragment(fragment, mq);
  await mq.close({ deadline: 0 });
  await rm(folder, { recursive: true });
}

async function runFragment({ file, prints }: Fragment, mq: MessageQueueSystem): Promise<void> {
  printed.length = 0;
  let code = 0;
  try {
    const fragment = (await import(pathToFileURL(file).href)) as {
      run: (mq: MessageQueueSystem) => Promise<void>;
    };
    await fragment.run(mq);
    const deadline = performance.now() + PATIENCE_MS;
    while (printed.length < (prints?.length ?? 0) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  } catch (error) {
    code = 1;
    printed.push(format(error));
  }
  mq.events.removeAllListeners();
  for (const { id } of mq.consumerManager.listConsumers()) {
    await mq.consumerManager.stopConsumer(id, 0);
  }
  report(JSON.stringify({ file, code, output: printed.map((line) => `${line}\n`).join('') }));
}
