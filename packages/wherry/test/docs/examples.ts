import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtModule } from '../../../../scripts/built-module.ts';
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

/** Milliseconds for one program, on a machine that does other things, too. */
const TIMEOUT = 60_000;
const TSX = ['--import', import.meta.resolve('tsx')];
const ENVIRONMENT: NodeJS.ProcessEnv = { ...process.env, NODE_TEST_CONTEXT: undefined };
const RUNNER = fileURLToPath(new URL('./run-fragments.ts', import.meta.url));
const HOISTED = /^import [\s\S]*?;$/gm;

/**
 * The blocks as files in a folder whose packages are the repository's. To a program `wherry` is what
 * was built, or the sources where they were changed since; to fragments and types it is the sources.
 */
export class Examples {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'wherry-docs-'));
  readonly #tsconfig: string = join(this.#folder, 'tsconfig.json');
  readonly #examples: readonly Example[];
  readonly #isBuilt: boolean = builtModule('wherry', 'index').execArgv.length === 0;
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
    const loader = block.language === 'js' && this.#isBuilt ? [] : TSX;
    const env = this.#isBuilt ? ENVIRONMENT : this.#onSources();
    return run(process.execPath, [...loader, file], { cwd, env });
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
    const ended = await run(process.execPath, [...TSX, RUNNER, planFile], {
      cwd: this.#folder,
      env: this.#onSources(),
    });
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

  #onSources(): NodeJS.ProcessEnv {
    return { ...ENVIRONMENT, TSX_TSCONFIG_PATH: this.#tsconfig };
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
