import type { Command, Option } from 'commander';

/** What completion knows of a command. */
export interface CommandNode {
  /** The words that lead to it, without the program's name. */
  readonly path: readonly string[];
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionNode[];
  /** Words that its first argument may be. */
  readonly choices: readonly string[];
}

export interface OptionNode {
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  /** What comes after it: nothing, one of some words, a file, a folder, or anything. */
  readonly value: 'none' | 'file' | 'directory' | 'any' | readonly string[];
}

/** @returns every command of the tree, the program itself first, global options included */
export function commandNodes(program: Command): CommandNode[] {
  const globals = optionNodes(program).filter(({ long }) => long !== '--version');
  return nodesBelow(program, [], globals);
}

/** @returns the options that a value follows, which must not be taken for a command */
export function optionsWithValue(nodes: readonly CommandNode[]): string[] {
  const options = nodes.flatMap((node) => node.options.filter(({ value }) => value !== 'none'));
  return [...new Set(options.map(({ long }) => long))];
}

/** @returns the words that lead to each command but the program itself */
export function commandPaths(nodes: readonly CommandNode[]): string[] {
  return nodes.filter(({ path }) => path.length > 0).map(({ path }) => path.join(' '));
}

function nodesBelow(
  command: Command,
  path: string[],
  globals: readonly OptionNode[],
): CommandNode[] {
  const subcommands = command.createHelp().visibleCommands(command);
  const own = optionNodes(command);
  const options = path.length === 0 ? own : [...own, ...globals.filter(isNotIn(own))];
  const node: CommandNode = {
    path,
    subcommands: subcommands.map((sub) => ({ name: sub.name(), description: sub.description() })),
    options,
    choices: command.registeredArguments[0]?.argChoices ?? [],
  };
  const below = subcommands.filter((sub) => sub.name() !== 'help');
  return [node, ...below.flatMap((sub) => nodesBelow(sub, [...path, sub.name()], globals))];
}

function isNotIn(options: readonly OptionNode[]): (option: OptionNode) => boolean {
  return (option) => !options.some(({ long }) => long === option.long);
}

function optionNodes(command: Command): OptionNode[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((option) => ({
      short: option.short ?? null,
      long: option.long ?? '',
      description: option.description,
      value: valueOf(option),
    }));
}

function valueOf(option: Option): OptionNode['value'] {
  if (!option.required && !option.optional) return 'none';
  if (option.argChoices !== undefined) return option.argChoices;
  if (option.flags.includes('<file>')) return 'file';
  return option.flags.includes('dir>') ? 'directory' : 'any';
}
