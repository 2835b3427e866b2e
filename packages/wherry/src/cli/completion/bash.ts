import { type CommandNode, commandPaths, type OptionNode, optionsWithValue } from './tree.ts';

/** @returns a bash function that completes the program's commands, options and their values */
export function bashCompletion(program: string, nodes: readonly CommandNode[]): string {
  const paths = commandPaths(nodes).map((path) => `"${path}"`);
  const values = optionValues(nodes);
  return `# Completion of ${program} for bash. Load it with: source <(${program} completion bash)
_${program}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" word next i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in
      ${optionsWithValue(nodes).join('|')}) ((i++)); continue ;;
    esac
    next="\${path:+$path }$word"
    case "$next" in
      ${paths.join('|')}) path="$next" ;;
    esac
  done
  case "$path $previous" in
${values.map(({ path, option }) => `    "${path} ${option.long}") ${reply(option.value)}; return ;;`).join('\n')}
  esac
  case "$path" in
${nodes.map((node) => `    "${node.path.join(' ')}") ${reply(wordsOf(node))} ;;`).join('\n')}
  esac
}
complete -F _${program} ${program}
`;
}

function reply(value: OptionNode['value']): string {
  switch (value) {
    case 'file':
      return 'COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames 2>/dev/null';
    case 'directory':
      return 'COMPREPLY=($(compgen -d -- "$current")); compopt -o filenames 2>/dev/null';
    case 'any':
    case 'none':
      return 'COMPREPLY=()';
    default:
      return `COMPREPLY=($(compgen -W "${value.join(' ')}" -- "$current"))`;
  }
}

function wordsOf({ subcommands, options, choices }: CommandNode): string[] {
  return [...subcommands.map(({ name }) => name), ...choices, ...options.map(({ long }) => long)];
}

function optionValues(nodes: readonly CommandNode[]): { path: string; option: OptionNode }[] {
  return nodes.flatMap(({ path, options }) =>
    options
      .filter(({ value }) => value !== 'none')
      .map((option) => ({ path: path.join(' '), option })),
  );
}
