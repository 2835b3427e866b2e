/**
 * Topic patterns in a trie (AMQP 0-9-1, section 3.1.3.3): keys and patterns are words separated by
 * dots; in a pattern `*` stands for exactly one word and `#` for zero or more. Two points that the
 * specification leaves open are settled as RabbitMQ does: the empty key has no words (so `#`
 * matches it and `*` does not), and `*` or `#` within a word, as in `stock*`, is plain text.
 *
 * A match walks the key once with the set of trie nodes that the words so far lead to, as a
 * non-deterministic automaton does. No node is entered twice for one word, so a match costs at
 * most words x nodes, whatever the patterns: backtracking would be exponential in their `#`.
 */
export class TopicTrie<T> {
  readonly #root = new TrieNode<T>(null, '', false);
  #nodeCount = 1;
  #visits = 0;
  #round = 0;

  /** Nodes in the trie, its root included: what it costs in memory. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** Nodes entered by all matches so far: what they cost in time. */
  get visits(): number {
    return this.#visits;
  }

  /** Files `value` under `pattern`. A value that is there already stays there once. */
  add(pattern: string, value: T): void {
    let node = this.#root;
    for (const word of wordsOf(pattern)) {
      let child = node.child(word);
      if (child === undefined) {
        child = new TrieNode<T>(node, word, word === '#');
        node.attach(word, child);
        this.#nodeCount++;
      }
      node = child;
    }
    node.values ??= new Set();
    node.values.add(value);
  }

  /** @returns whether `value` was filed under `pattern` */
  remove(pattern: string, value: T): boolean {
    let node: TrieNode<T> | undefined = this.#root;
    for (const word of wordsOf(pattern)) {
      node = node.child(word);
      if (node === undefined) return false;
    }
    if (node.values === null || !node.values.delete(value)) return false;
    if (node.values.size === 0) node.values = null;
    this.#prune(node);
    return true;
  }

  /** @returns the values of every pattern that matches `key`, each once */
  match(key: string): Set<T> {
    const matched = new Set<T>();
    let states: TrieNode<T>[] = [];
    this.#round++;
    this.#enter(this.#root, states);
    for (const word of wordsOf(key)) {
      if (states.length === 0) return matched;
      const next: TrieNode<T>[] = [];
      this.#round++;
      for (const state of states) {
        if (state.absorbs) this.#enter(state, next);
        if (state.literals !== null) this.#enter(state.literals.get(word), next);
        this.#enter(state.one, next);
      }
      states = next;
    }
    for (const state of states) {
      for (const value of state.values ?? []) matched.add(value);
    }
    return matched;
  }

  #enter(node: TrieNode<T> | undefined, states: TrieNode<T>[]): void {
    // `#` may stand for no word at all: whoever is at a node is at its `#` child too.
    for (let at = node; at !== undefined && at.round !== this.#round; at = at.many) {
      at.round = this.#round;
      this.#visits++;
      states.push(at);
    }
  }

  #prune(leaf: TrieNode<T>): void {
    let node = leaf;
    while (node.parent !== null && node.isEmpty) {
      node.parent.detach(node.word);
      this.#nodeCount--;
      node = node.parent;
    }
  }
}

class TrieNode<T> {
  readonly parent: TrieNode<T> | null;
  readonly word: string;
  /** The node of a `#`: it stays where it is whatever word comes. */
  readonly absorbs: boolean;
  /** Children by word; `*` and `#` have fields of their own, for a key's word may be just that. */
  literals: Map<string, TrieNode<T>> | null = null;
  one: TrieNode<T> | undefined;
  many: TrieNode<T> | undefined;
  values: Set<T> | null = null;
  /** The last round of matching that entered this node. */
  round = 0;

  constructor(parent: TrieNode<T> | null, word: string, absorbs: boolean) {
    this.parent = parent;
    this.word = word;
    this.absorbs = absorbs;
  }

  get isEmpty(): boolean {
    return (
      this.values === null &&
      this.literals === null &&
      this.one === undefined &&
      this.many === undefined
    );
  }

  child(word: string): TrieNode<T> | undefined {
    if (word === '*') return this.one;
    if (word === '#') return this.many;
    return this.literals?.get(word);
  }

  attach(word: string, child: TrieNode<T>): void {
    if (word === '*') this.one = child;
    else if (word === '#') this.many = child;
    else (this.literals ??= new Map()).set(word, child);
  }

  detach(word: string): void {
    if (word === '*') this.one = undefined;
    else if (word === '#') this.many = undefined;
    else if (this.literals?.delete(word) && this.literals.size === 0) this.literals = null;
  }
}

function wordsOf(text: string): string[] {
  return text === '' ? [] : text.split('.');
}
