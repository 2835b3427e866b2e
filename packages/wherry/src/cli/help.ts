import type { Command } from 'commander';
import { EXIT_CODE_MEANINGS } from './exit-codes.ts';

/** Shows commands to copy under a command's options. @param examples what it does -> what to type */
export function addExamples(command: Command, examples: Readonly<Record<string, string>>): void {
  const lines = Object.entries(examples).map(([what, type]) => `  # ${what}\n  ${type}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** @returns the exit codes as a section of the help */
export function exitCodeHelp(): string {
  const lines = EXIT_CODE_MEANINGS.map(
    ([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`,
  );
  return `\nExit codes:\n${lines.join('\n')}`;
}

/** Leaves out what was not given, so that only the given options reach the library. */
export function given<Fields extends object>(fields: Fields): Partial<Fields> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<Fields>;
}
