import { ValidationError } from 'wherry';

/** A place in a name: a character, or one of these, which no character is. */
type Token = string;
const START = '\\^';
const END = '\\$';
const ANY = '\\*';

/** More than these would not be readable by anybody; and a pattern could ask for millions. */
const BRANCHES_MAX = 100;
const GLOB_BYTES_MAX = 255;

/** A regular expression that says what no glob can say. */
export class PatternError extends ValidationError {
  constructor(expression: string, why: string) {
    super(
      `The pattern '${expression.slice(0, 200)}' cannot be taken: ${why}. Names, lists of names in (a|b), ` +
        "prefixes such as ^a.* and suffixes such as .*a$ are; other names must be written out: '^(a1|a2)$'.",
    );
  }
}

/**
 * What a regular expression of RabbitMQ's permissions and policies says, in globs: a name fits one of
 * them exactly when it fits the expression. As RabbitMQ has it, an expression without anchors fits
 * wherever in a name it is found, and an empty one fits nothing.
 * @throws PatternError when globs cannot say it
 */
export function globsOf(expression: string): string[] {
  if (expression === '') return [];
  const parser = new Parser(expression);
  const globs = new Set<string>();
  for (const branch of parser.parse()) {
    const glob = globOf(branch, parser);
    if (glob !== '') globs.add(glob);
  }
  return globs.has('*') ? ['*'] : [...globs];
}

/** @returns a regular expression of which `globsOf` makes these globs again */
export function expressionOf(globs: readonly string[]): string {
  if (globs.length === 0) return '^$';
  const bodies = globs.map((glob) =>
    glob.replaceAll(/[\\^$.|?+()[\]{}]/g, String.raw`\$&`).replaceAll('*', '.*'),
  );
  const [first = ''] = bodies;
  if (bodies.length > 1) return `^(${bodies.join('|')})$`;
  if (first === '.*') return first;
  const start = first.startsWith('.*') ? '' : '^';
  return start + first + (first.endsWith('.*') ? '' : '$');
}

/** @returns '' for a branch that no name fits */
function globOf(branch: readonly Token[], parser: Parser): string {
  let from = 0;
  let to = branch.length;
  while (branch[from] === START) from++;
  while (to > from && branch[to - 1] === END) to--;
  const body = branch.slice(from, to);
  if (body.includes(START) || body.includes(END)) {
    return parser.fail('^ and $ stand within it, where they fit nothing');
  }
  if (body.includes('*')) return parser.fail('a name with * in it cannot be told from a pattern');
  const text = body.map((token) => (token === ANY ? '*' : token)).join('');
  const glob = `${from > 0 ? '' : '*'}${text}${to < branch.length ? '' : '*'}`;
  const short = glob.replaceAll(/\*{2,}/g, '*');
  if (Buffer.byteLength(short) > GLOB_BYTES_MAX) {
    return parser.fail(`a name in it is longer than ${GLOB_BYTES_MAX} bytes`);
  }
  return short;
}

/** Reads an expression into all it can be: its alternatives, each a list of tokens. */
class Parser {
  readonly #expression: string;
  readonly #characters: readonly string[];
  #at = 0;

  constructor(expression: string) {
    this.#expression = expression;
    this.#characters = Array.from(expression);
  }

  parse(): Token[][] {
    const branches = this.#alternatives(0);
    if (this.#at < this.#characters.length) this.fail('it has a ) too many');
    return branches;
  }

  /** @throws PatternError */
  fail(why: string): never {
    throw new PatternError(this.#expression, why);
  }

  #alternatives(depth: number): Token[][] {
    if (depth > 10) this.fail('its parentheses are nested too deeply');
    const branches = this.#sequence(depth);
    while (this.#take('|')) {
      branches.push(...this.#sequence(depth));
      this.#checkCount(branches.length);
    }
    return branches;
  }

  #sequence(depth: number): Token[][] {
    let branches: Token[][] = [[]];
    for (;;) {
      const next = this.#characters[this.#at];
      if (next === undefined || next === '|' || next === ')') return branches;
      const parts = this.#repeated(this.#atom(depth));
      this.#checkCount(branches.length * parts.length);
      branches = branches.flatMap((branch) => parts.map((part) => [...branch, ...part]));
    }
  }

  #atom(depth: number): Token[][] {
    const character = this.#characters[this.#at++]!;
    switch (character) {
      case '^':
        return [[START]];
      case '$':
        return [[END]];
      case '.':
        return this.#dot();
      case '(':
        return this.#group(depth);
      case '[':
        return this.#characterClass();
      case '\\':
        return [[this.#escaped()]];
      case '*':
      case '+':
      case '?':
      case '{':
        return this.fail(`there is nothing before ${character}`);
      default:
        return [[character]];
    }
  }

  #dot(): Token[][] {
    if (this.#take('*')) return [[ANY]];
    return this.fail(
      String.raw`a dot stands for any one character; write \. where a dot is meant, and .* for any run`,
    );
  }

  #group(depth: number): Token[][] {
    if (this.#take('?') && !this.#take(':')) this.fail('it has a group of a special kind');
    const branches = this.#alternatives(depth + 1);
    if (!this.#take(')')) this.fail('a ) is missing');
    return branches;
  }

  #characterClass(): Token[][] {
    const found: Token[][] = [];
    for (;;) {
      const character = this.#characters[this.#at++];
      if (character === undefined) this.fail('a ] is missing');
      if (character === ']' && found.length > 0) return found;
      const isRange = character === '-' && found.length > 0 && this.#characters[this.#at] !== ']';
      const isSpecial = character === '[' || (character === '^' && found.length === 0);
      if (isRange || isSpecial) this.fail('a range of characters cannot be told in names');
      found.push([character === '\\' ? this.#escaped() : character]);
    }
  }

  #escaped(): Token {
    const character = this.#characters[this.#at++];
    if (character === undefined) return this.fail('there is nothing behind the last \\');
    if (!/[\p{L}\p{N}]/u.test(character)) return character;
    return this.fail(`\\${character} stands for a kind of characters`);
  }

  #repeated(parts: Token[][]): Token[][] {
    if (this.#take('?')) return [...parts, []];
    const next = this.#characters[this.#at];
    if (next === '*' || next === '+' || next === '{') {
      this.fail(`only .* may be repeated, and ${next} repeats something else`);
    }
    return parts;
  }

  #take(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #checkCount(count: number): void {
    if (count > BRANCHES_MAX) this.fail(`it stands for more than ${BRANCHES_MAX} patterns`);
  }
}
