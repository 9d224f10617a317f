import { later } from './backoff.ts';

/** Runs work under a key one after the other. */
export type OneAtATime = (key: string, work: () => Promise<void>) => Promise<void>;

const AGAIN_AFTER_MS = 500;

/**
 * One waits; a third is sent back with `RetryLaterError`. Otherwise a storm on one machine would take every place in the
 * consumer, and the first message about another machine would have to wait for it.
 */
export function oneAtATime(): OneAtATime {
  const running = new Map<string, Promise<void>>();
  const waiting = new Set<string>();
  return async (key, work) => {
    if (running.has(key)) {
      if (waiting.has(key)) throw later(AGAIN_AFTER_MS, 'this machine is being worked on');
      waiting.add(key);
      while (running.has(key)) await running.get(key);
      waiting.delete(key);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    running.set(key, promise);
    try {
      await work();
    } finally {
      running.delete(key);
      resolve();
    }
  };
}
