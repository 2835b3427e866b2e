import { Argument, type Command } from 'commander';
import { bashCompletion } from '../completion/bash.ts';
import { fishCompletion } from '../completion/fish.ts';
import { type CommandNode, commandNodes } from '../completion/tree.ts';
import { zshCompletion } from '../completion/zsh.ts';
import { addExamples } from '../help.ts';
import type { CommandLine } from '../invocation.ts';

type Shell = 'bash' | 'zsh' | 'fish';

const SCRIPTS: Readonly<Record<Shell, (program: string, nodes: readonly CommandNode[]) => string>> =
  {
    bash: bashCompletion,
    zsh: zshCompletion,
    fish: fishCompletion,
  };

export function registerCompletion(program: Command, line: CommandLine): void {
  const completion = program
    .command('completion')
    .description('print a script that lets the shell complete commands and options')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)));
  addExamples(completion, {
    'bash, for this terminal': 'source <(wherry completion bash)',
    'bash, for good': "echo 'source <(wherry completion bash)' >> ~/.bashrc",
    'zsh, for good': 'wherry completion zsh > "${fpath[1]}/_wherry"',
    'fish, for good': 'wherry completion fish > ~/.config/fish/completions/wherry.fish',
  });
  line.handle(completion, async ({ output }, _options, [shell]) => {
    const script = SCRIPTS[shell as Shell](program.name(), commandNodes(program));
    await output.result(script.trimEnd(), { shell, script });
  });
}
