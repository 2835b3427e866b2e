/** Reads `name=value, other=value`. @returns null when there is nothing */
export function pairsOf(text: string): Record<string, string> | null {
  const parts = text.split(',').map((part) => part.trim());
  const pairs = parts
    .filter((part) => part !== '')
    .map((part) => {
      const [name, ...value] = part.split('=');
      return [name!.trim(), value.join('=').trim()] as const;
    });
  return pairs.length === 0 ? null : Object.fromEntries(pairs);
}
