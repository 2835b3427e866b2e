/**
 * A client of Prisma without models, for raw statements in transactions. `prisma generate` writes the
 * same, but first downloads a program that only migrations need.
 */
import { PrismaPg } from '@prisma/adapter-pg';
import { type GetPrismaClientConfig, getPrismaClient } from '@prisma/client/runtime/client';

/** What Prisma hands to the body of an interactive transaction. */
interface PrismaTransaction {
  $queryRawUnsafe<Rows>(text: string, ...values: readonly unknown[]): Promise<Rows>;
  $executeRawUnsafe(text: string, ...values: readonly unknown[]): Promise<number>;
}

/** A client of Prisma, as far as raw statements go. */
export interface PrismaClient extends PrismaTransaction {
  $transaction<Value>(work: (tx: PrismaTransaction) => Promise<Value>): Promise<Value>;
  $disconnect(): Promise<void>;
}

// The types of a browser have it, those of Node 20 do not.
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Module: new (bytes: Uint8Array) => object };
};

const config: GetPrismaClientConfig = {
  previewFeatures: [],
  clientVersion: '7',
  engineVersion: '7',
  activeProvider: 'postgresql',
  inlineSchema: 'datasource db {\n  provider = "postgresql"\n}\n',
  runtimeDataModel: { models: {}, enums: {}, types: {} },
  // No models: a graph of three empty lists.
  parameterizationSchema: { strings: [], graph: 'AAAA' },
  compilerWasm: {
    getRuntime: () => load('query_compiler_fast_bg.postgresql.mjs'),
    getQueryCompilerWasmModule: async () => {
      const file = 'query_compiler_fast_bg.postgresql.wasm-base64.mjs';
      const { wasm } = await load<{ wasm: string }>(file);
      return new WebAssembly.Module(Buffer.from(wasm, 'base64'));
    },
    importName: './query_compiler_fast_bg.js',
  },
};

/** A part of Prisma's runtime that comes without types. */
async function load<Exports>(file: string): Promise<Exports> {
  return (await import(`@prisma/client/runtime/${file}`)) as Exports;
}

/** Connects Prisma to a database of PostgreSQL. */
export function openPrisma(url: string): PrismaClient {
  const Client = getPrismaClient(config);
  return new Client({ adapter: new PrismaPg({ connectionString: url }) }) as PrismaClient;
}
