import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFiles, root } from '../../../../scripts/find-files.ts';

/** A page of the documentation. */
export interface Page {
  /** From the repository's folder. */
  readonly path: string;
  readonly text: string;
}

/** A block of code that is run as it stands in a page. */
export interface CodeBlock {
  readonly page: string;
  /** Of its first line. */
  readonly line: number;
  readonly language: 'ts' | 'js';
  /** It goes on where the page's fragment before ended: `mq` is open. */
  readonly isFragment: boolean;
  readonly code: string;
  /** What it must print, line by line; null when it does not say. */
  readonly prints: readonly string[] | null;
}

const FENCE = /^```(\w*)(?: (\w+))?$/;
const DASHES = /^\|[ :-]+\|/;
const PRINTS = /^\s*\/\/ prints: (.*)$/;

/** Every page at the root, in docs/ and in examples/. */
export function readPages(): Page[] {
  return findFiles(root)
    .filter((path) => /^(docs\/|examples\/)?[^/]+\.md$/.test(path))
    .map((path) => readPage(path));
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}

/** The blocks marked `ts`, `ts fragment` or `js`. */
export function codeBlocksOf({ path, text }: Page): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [fence, language, mark] = FENCE.exec(lines[at]!) ?? [];
    if (fence === undefined) continue;
    const begin = at + 1;
    at = lines.indexOf('```', begin);
    if (at < 0) throw new Error(`${path}:${begin}: the block is not closed.`);
    if (language !== 'ts' && language !== 'js') continue;
    if (mark !== undefined && mark !== 'fragment') {
      throw new Error(
        `${path}:${begin}: '${mark}' is no mark; a block is a program or a fragment.`,
      );
    }
    const code = lines.slice(begin, at);
    const prints = code.flatMap((line) => PRINTS.exec(line)?.[1] ?? []);
    blocks.push({
      page: path,
      line: begin + 1,
      language,
      isFragment: mark === 'fragment',
      code: code.join('\n'),
      prints: prints.length === 0 ? null : prints,
    });
  }
  return blocks;
}

/** What is outside of blocks of code. */
export function proseOf({ text }: Page): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '');
}

/** The targets of links and images that are not addresses on the web. */
export function relativeLinksOf(page: Page): string[] {
  const links = proseOf(page).matchAll(/\]\(([^()\s]+)\)/g);
  return Array.from(links, ([, target]) => target!).filter((to) => !/^[a-z]+:/.test(to));
}

/** The anchors that GitHub gives a page's headings. */
export function anchorsOf(page: Page): Set<string> {
  const anchors = new Set<string>();
  const counts = new Map<string, number>();
  for (const [, heading] of proseOf(page).matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

/** The cells of each row of a page's tables, without the rows of heads and dashes. */
export function tableRowsOf(page: Page): string[][] {
  const rows: string[][] = [];
  const lines = proseOf(page).split('\n');
  lines.forEach((line, i) => {
    const isRow = line.startsWith('|') && !DASHES.test(line) && !DASHES.test(lines[i + 1] ?? '');
    if (!isRow) return;
    // `\|` is a bar within a cell.
    const cells = line.split(/(?<!\\)\|/).slice(1, -1);
    rows.push(cells.map((cell) => cell.trim().replaceAll('\\|', '|')));
  });
  return rows;
}
