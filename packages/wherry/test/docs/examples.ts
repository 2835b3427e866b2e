import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../../../../scripts/find-files.ts';
import type { CodeBlock } from './markdown.ts';

/** A block of code, written to a file. */
interface Example extends CodeBlock {
  readonly file: string;
}

/** How a block, or the compiler, ended. */
export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** Milliseconds for one program. */
const TIMEOUT = 20_000;
const RUNNER = fileURLToPath(new URL('./run-fragments.ts', import.meta.url));
const HOISTED = /^import [\s\S]*?;$/gm;

/**
 * The blocks as files in a folder where `wherry` means the sources and every other package is
 * the repository's.
 */
export class Examples {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'wherry-docs-'));
  readonly #tsconfig: string = join(this.#folder, 'tsconfig.json');
  readonly #examples: readonly Example[];
  #fragments: Promise<ReadonlyMap<string, Outcome>> | null = null;

  constructor(blocks: readonly CodeBlock[]) {
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'));
    writeFileSync(join(this.#folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(this.#tsconfig, JSON.stringify(tsconfig()));
    this.#examples = blocks.map((block) => this.#write(block));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  /** Holds all blocks of TypeScript against the types of the sources. */
  checkTypes(): Promise<Outcome> {
    return run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
      cwd: this.#folder,
    });
  }

  /** Whether Node itself can read a program: what is marked `js` needs no compiler. */
  checkSyntax(block: CodeBlock): Promise<Outcome> {
    return run(process.execPath, ['--check', this.#of(block).file], { cwd: this.#folder });
  }

  /** Runs a program in an empty folder of its own. */
  runProgram(block: CodeBlock): Promise<Outcome> {
    const { file } = this.#of(block);
    const cwd = `${file}.folder`;
    mkdirSync(cwd);
    return run(process.execPath, ['--import', import.meta.resolve('tsx'), file], {
      cwd,
      env: this.#env(),
    });
  }

  /** Runs all fragments, in one process, the first time it is called. */
  async runFragment(block: CodeBlock): Promise<Outcome | undefined> {
    this.#fragments ??= this.#runFragments();
    return (await this.#fragments).get(this.#of(block).file);
  }

  async #runFragments(): Promise<ReadonlyMap<string, Outcome>> {
    const fragments = this.#examples.filter(({ isFragment }) => isFragment);
    const plan = fragments.map(({ file, page, prints }) => ({ file, page, prints }));
    const planFile = join(this.#folder, 'plan.json');
    writeFileSync(planFile, JSON.stringify(plan));
    const args = ['--import', import.meta.resolve('tsx'), RUNNER, planFile];
    const ended = await run(process.execPath, args, { cwd: this.#folder, env: this.#env() });
    const outcomes = new Map<string, Outcome>();
    for (const line of ended.output.split('\n')) {
      if (!line.startsWith('{"file"')) continue;
      const { file, ...outcome } = JSON.parse(line) as Outcome & { readonly file: string };
      outcomes.set(file, outcome);
    }
    if (ended.code === 0) return outcomes;
    // The process itself failed: whoever has no outcome is told why.
    for (const { file } of fragments) if (!outcomes.has(file)) outcomes.set(file, ended);
    return outcomes;
  }

  #write(block: CodeBlock): Example {
    const extension = block.language === 'js' ? 'mjs' : 'ts';
    const name = `${block.page.replaceAll(/\W/g, '-')}-${block.line}.${extension}`;
    const file = join(this.#folder, name);
    writeFileSync(file, block.isFragment ? moduleOf(block.code) : block.code);
    return { ...block, file };
  }

  #of({ page, line }: CodeBlock): Example {
    return this.#examples.find((example) => example.page === page && example.line === line)!;
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, TSX_TSCONFIG_PATH: this.#tsconfig, NODE_TEST_CONTEXT: undefined };
  }
}

/** A fragment as a function of `mq`, its imports at the top. */
function moduleOf(code: string): string {
  const imports = code.match(HOISTED) ?? [];
  return [
    "import type { MessageQueueSystem as System } from 'wherry';",
    ...imports,
    'export async function run(mq: System): Promise<void> {',
    code.replaceAll(HOISTED, ''),
    '}',
  ].join('\n');
}

function tsconfig(): object {
  const sources = join(root, 'packages/wherry/src');
  return {
    extends: join(root, 'tsconfig.base.json'),
    compilerOptions: {
      // An example may show a name that it does not use, and a store that is set up for a reader.
      noUnusedLocals: false,
      noUnusedParameters: false,
      // So that tsx resolves the paths for plain JavaScript too.
      allowJs: true,
      paths: {
        wherry: [join(sources, 'index.ts')],
        'wherry/testing': [join(sources, 'testing/index.ts')],
        // One pattern is enough for all drivers.
        'wherry/*': [join(sources, 'drivers/*/index.ts')],
      },
    },
    include: ['*.ts'],
  };
}

async function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Outcome> {
  const child = spawn(command, args, { ...options, timeout: TIMEOUT, killSignal: 'SIGKILL' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
