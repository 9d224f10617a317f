import { RetryLaterError } from '@cordon/bus';

/** How long a channel that failed is left alone: growing while it keeps failing, forgotten once it works. */
export interface Backoff {
  /** How much longer to leave it alone; 0 when it may be tried. */
  remainingMs(): number;
  /** It failed. Returns for how long it is left alone: as long as was asked for, else longer each time. */
  failed(askedMs?: number): number;
  succeeded(): void;
}

/** Doubles from `firstMs` up to `maxMs`. */
export function createBackoff({ firstMs, maxMs }: { firstMs: number; maxMs: number }): Backoff {
  let failures = 0;
  let until = 0;
  const remainingMs = (): number => Math.max(0, until - Date.now());
  return {
    remainingMs,
    failed(askedMs) {
      if (askedMs !== undefined) until = Math.max(until, Date.now() + askedMs);
      else if (remainingMs() === 0) {
        // Else calls that were under way when it broke would count the same failure again.
        until = Date.now() + Math.min(maxMs, firstMs * 2 ** failures);
        failures++;
      }
      return remainingMs();
    },
    succeeded() {
      failures = 0;
    },
  };
}

/** Not now. The broker takes whole milliseconds only; some jitter keeps many waiting messages from returning at once. */
export function later(delayMs: number, reason: string, cause?: unknown): RetryLaterError {
  return new RetryLaterError(Math.ceil(delayMs * (1 + Math.random() / 10)), reason, { cause });
}
