/** Chance that can be repeated: the same seed gives the same drill. */
export interface Random {
  /** At least 0 and less than 1. */
  next(): number;
  /** A whole number from `low` up to, but not including, `high`. */
  whole(low: number, high: number): number;
  pick<T>(list: readonly [T, ...T[]]): T;
  shuffled<T>(list: readonly T[]): T[];
  /** Chance of its own for one part, so that changing another part does not change this one. */
  fork(part: string): Random;
}

/** A small generator (mulberry32): good enough to shuffle with, useless for secrets. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (low: number, high: number): number => low + Math.floor(next() * (high - low));
  return {
    next,
    whole,
    pick: (list) => list[whole(0, list.length)] ?? list[0],
    shuffled: (list) =>
      list
        .map((entry) => ({ entry, rank: next() }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ entry }) => entry),
    fork: (part) =>
      createRandom(part.split('').reduce((hash, letter) => Math.imul(hash, 31) + letter.charCodeAt(0), seed)),
  };
}
