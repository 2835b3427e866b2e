import type { Command } from 'commander';
import type { Migration } from '../../drivers/postgres/migration-list.ts';
import { UsageError } from '../errors.ts';
import { addExamples } from '../help.ts';
import type { CommandLine } from '../invocation.ts';
import { storeScheme } from '../store.ts';
import { plural } from '../units.ts';

interface MigrateStoreOptions {
  readonly dryRun?: true;
}

export function registerMigrateStore(program: Command, line: CommandLine): void {
  const command = program
    .command('migrate-store')
    .description('bring the schema of a PostgreSQL store up to date; make it where there is none')
    .argument('[url]', 'the store (default: --store)')
    .option('--dry-run', 'show what there is to do, and do nothing');
  addExamples(command, {
    'What this version of Wherry would change':
      'wherry migrate-store postgres://127.0.0.1/app --dry-run',
    'Before the programs, which open the store with wherry_migrate=false':
      'wherry migrate-store postgres://owner@127.0.0.1/app',
  });
  line.handle<MigrateStoreOptions>(command, async (invocation, options, [url]) => {
    const { output, storeUrl } = invocation;
    const store = url ?? storeUrl;
    if (!['postgres', 'postgresql'].includes(storeScheme(store) ?? '')) {
      throw new UsageError(`migrate-store is for PostgreSQL; '${store}' brings itself up to date.`);
    }
    const isDry = options.dryRun === true;
    const migrations = await run(store, isDry);
    const list = migrations.map(({ number, title }) => `${number}  ${title}`);
    const what = plural(migrations.length, 'migration');
    const text = isDry ? `${what} to apply.` : `${what} applied.`;
    await output.result(
      [...list, migrations.length === 0 ? 'The schema is up to date.' : text].join('\n'),
      { migrations: migrations.map(({ number, title }) => ({ number, title })), applied: !isDry },
    );
  });
}

async function run(url: string, isDry: boolean): Promise<readonly Migration[]> {
  const { Connection } = await import('../../drivers/postgres/connection.ts');
  const { readOptions } = await import('../../drivers/postgres/options.ts');
  const { applyMigrations, pendingMigrations } =
    await import('../../drivers/postgres/migrations.ts');
  const connection = new Connection(readOptions({ url }));
  try {
    await connection.open();
    return await (isDry ? pendingMigrations(connection) : applyMigrations(connection));
  } finally {
    await connection.close();
  }
}
