/** All SQL of the store is written for the schema `wherry`, so that it can be read and run as it is. */
const SCHEMA_OF_OURS = /\bwherry\./g;

/** @returns the SQL for a store in another schema */
export function inSchema(sql: string, schema: string): string {
  return sql.replaceAll(SCHEMA_OF_OURS, `"${schema}".`);
}
