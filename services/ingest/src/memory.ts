/**
 * The last ten to twenty thousand things that are known to be kept, so that asking LimaCharlie about a span that was
 * received already costs no search of the log. A restart forgets them, which costs those searches once.
 *
 * Two sets that take turns: to find the oldest key of one set gets slower with every key deleted from it.
 */
export function createMemory(most = 20_000) {
  let recent = new Set<string>();
  let older = new Set<string>();
  return {
    has: (key: string): boolean => recent.has(key) || older.has(key),
    add(key: string): void {
      if (recent.size >= most / 2) {
        older = recent;
        recent = new Set();
      }
      recent.add(key);
    },
  };
}
