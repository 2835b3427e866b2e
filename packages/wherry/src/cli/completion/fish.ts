import { type CommandNode, commandPaths, type OptionNode, optionsWithValue } from './tree.ts';

/** @returns fish rules that complete the program's commands, options and their values */
export function fishCompletion(program: string, nodes: readonly CommandNode[]): string {
  const paths = commandPaths(nodes).map(quote);
  const rules = nodes.flatMap((node) => rulesOf(program, node));
  return `# Completion of ${program} for fish. Load it with: ${program} completion fish | source
function __${program}_at
    set -l at ''
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        if contains -- "$word" ${optionsWithValue(nodes).join(' ')}
            set skip 1
            continue
        end
        set -l next (string trim -- "$at $word")
        if contains -- "$next" ${paths.join(' ')}
            set at "$next"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c ${program} -f
${rules.join('\n')}
`;
}

function rulesOf(program: string, { path, subcommands, options, choices }: CommandNode): string[] {
  const rule = `complete -c ${program} -n ${quote(`__${program}_at ${quote(path.join(' '))}`)}`;
  return [
    ...subcommands.map(
      ({ name, description }) => `${rule} -a ${quote(name)} -d ${quote(description)}`,
    ),
    ...(choices.length > 0 ? [`${rule} -a ${quote(choices.join(' '))}`] : []),
    ...options.map((option) => `${rule} ${optionRule(option)} -d ${quote(option.description)}`),
  ];
}

function optionRule({ short, long, value }: OptionNode): string {
  const names = `${short === null ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
  if (value === 'none') return names;
  if (value === 'file') return `${names} -rF`;
  if (value === 'directory') return `${names} -x -a '(__fish_complete_directories)'`;
  return value === 'any' ? `${names} -x` : `${names} -x -a ${quote(value.join(' '))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
