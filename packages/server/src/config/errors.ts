import { MessageQueueError } from 'wherry';

/** The configuration is wrong; every mistake that was found is told. Nothing was started. */
export class ConfigError extends MessageQueueError {
  /** One sentence each, with the key, what it is and what it may be. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const lines = problems.map((problem) => `\n  - ${problem}`);
    super(
      'CONFIG',
      problems.length === 1
        ? `The configuration is wrong: ${problems[0]}`
        : `The configuration has ${problems.length} mistakes:${lines.join('')}`,
    );
    this.problems = problems;
  }
}
