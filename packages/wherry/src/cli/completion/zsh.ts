import { type CommandNode, commandPaths, type OptionNode, optionsWithValue } from './tree.ts';

/** @returns a zsh function that completes the program's commands, options and their values */
export function zshCompletion(program: string, nodes: readonly CommandNode[]): string {
  const cases = nodes.map(
    (node) => `    ${quote(node.path.join(' '))})\n${argumentsOf(node)}\n      ;;`,
  );
  const paths = commandPaths(nodes).map(quote);
  return `#compdef ${program}
# Completion of ${program} for zsh. Load it with: source <(${program} completion zsh)
_${program}() {
  local path_='' word i last=1
  local -a commands choices
  for ((i = 2; i < CURRENT; i++)); do
    case "\${words[i]}" in
      ${optionsWithValue(nodes).join('|')}) ((i++)); continue ;;
    esac
    word="\${path_:+$path_ }\${words[i]}"
    case "$word" in
      ${paths.join('|')}) path_="$word"; last=$i ;;
    esac
  done
  # What comes before the command's own words is not _arguments' business.
  words=("\${words[1]}" "\${(@)words[last + 1, -1]}")
  ((CURRENT -= last - 1))
  case "$path_" in
${cases.join('\n')}
  esac
}
if [[ "$funcstack[1]" == _${program} ]]; then _${program} "$@"; else compdef _${program} ${program}; fi
`;
}

function argumentsOf({ subcommands, options, choices }: CommandNode): string {
  const specs = [...options.map(optionSpec), '*: : '].map((spec) => `        ${quote(spec)}`);
  const commands = subcommands.map(({ name, description }) =>
    quote(`${escape(name)}:${description}`),
  );
  const words = [
    ...(commands.length > 0 ? [`      commands=(${commands.join(' ')})`] : []),
    ...(choices.length > 0 ? [`      choices=(${choices.map(quote).join(' ')})`] : []),
  ];
  const describe = [
    ...(commands.length > 0
      ? [`      [[ "\${words[CURRENT]}" == -* ]] || _describe command commands`]
      : []),
    ...(choices.length > 0
      ? [`      [[ "\${words[CURRENT]}" == -* ]] || _describe value choices`]
      : []),
  ];
  return [...words, ...describe, '      _arguments \\', specs.join(' \\\n')].join('\n');
}

function optionSpec({ long, description, value }: OptionNode): string {
  const text = `${long}[${description.replaceAll(/[[\]]/g, '')}]`;
  if (value === 'none') return text;
  return `${text}:${long.slice(2)}:${actionOf(value)}`;
}

function actionOf(value: Exclude<OptionNode['value'], 'none'>): string {
  if (value === 'file') return '_files';
  if (value === 'directory') return '_files -/';
  return value === 'any' ? ' ' : `(${value.join(' ')})`;
}

function escape(text: string): string {
  return text.replaceAll(':', '\\:');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
