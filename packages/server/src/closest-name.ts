/** More changes than this part of a word make another word, not a slip; two letters may be swapped. */
const CHANGED_MAX = 0.4;
const CHANGES_MIN = 2;
/** Nobody means a name by a longer word, and each comparison takes the product of both lengths. */
const WORD_MAX = 64;

/** @returns the candidate that was most likely meant by `word`, or null when none is near */
export function closestName(word: string, candidates: readonly string[]): string | null {
  if (word.length > WORD_MAX) return null;
  let best: string | null = null;
  const most = Math.max(CHANGES_MIN, Math.floor(word.length * CHANGED_MAX));
  let least = Math.min(word.length - 1, most) + 1;
  for (const candidate of candidates) {
    const changes = distance(word.toLowerCase(), candidate.toLowerCase());
    if (changes < least) [best, least] = [candidate, changes];
  }
  return best;
}

/** Levenshtein's: insertions, deletions and replacements that turn one text into the other. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1));
    }
    above = row;
  }
  return above[b.length]!;
}
