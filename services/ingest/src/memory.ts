/**
 * The last few thousand things that are known to be kept, so that asking LimaCharlie about a span that was received
 * already costs no search of the log. A restart forgets them, which costs those searches once.
 */
export function createMemory(most = 20_000) {
  const keys = new Set<string>();
  return {
    has: (key: string): boolean => keys.has(key),
    add(key: string): void {
      keys.add(key);
      const [oldest] = keys;
      if (keys.size > most && oldest !== undefined) keys.delete(oldest);
    },
  };
}
