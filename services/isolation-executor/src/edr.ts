import { RetryLaterError } from '@cordon/bus';
import {
  EdrDenied,
  type EdrError,
  EdrRateLimited,
  EdrRejected,
  EdrUnavailable,
  type LimaCharlieClient,
} from '@cordon/limacharlie';

/** What the executor needs of an EDR. */
export type Edr = Pick<LimaCharlieClient, 'findSensor' | 'isolationOf' | 'isolate' | 'rejoin' | 'isOnline'>;

/** An EDR's answer that ends the matter, in words. */
export type Failure = { code: string; explanation: string };

/**
 * What an EDR's error means: a failure to report, or a `RetryLaterError` to throw. Waits grow with the age of what is
 * being tried, and end when it is older than `giveUpAfterMs`.
 */
export function failureOf(error: unknown, hostname: string, ageMs: number, giveUpAfterMs: number): Failure {
  if (!isEdrError(error)) throw error;
  if (error instanceof EdrDenied) {
    return { code: 'denied', explanation: `LimaCharlie does not let Cordon do this: ${error.message}` };
  }
  if (error instanceof EdrRejected) {
    return { code: 'rejected', explanation: `LimaCharlie refused the request: ${error.message}` };
  }
  if (ageMs > giveUpAfterMs) {
    return {
      code: 'unavailable',
      explanation: `LimaCharlie could not be reached in time (${error.message}). Look at ${hostname} in LimaCharlie: an unanswered request may still have been taken.`,
    };
  }
  throw retryLater(error, ageMs);
}

/** Waits as long as LimaCharlie asks, else longer the older the matter is. */
export function retryLater(error: EdrUnavailable | EdrRateLimited, ageMs: number): RetryLaterError {
  const delayMs = error instanceof EdrRateLimited ? error.retryAfterMs : Math.min(15_000, Math.max(1000, ageMs / 4));
  return new RetryLaterError(delayMs, error.message, { cause: error });
}

export function isEdrError(error: unknown): error is EdrError {
  return (
    error instanceof EdrUnavailable ||
    error instanceof EdrRateLimited ||
    error instanceof EdrDenied ||
    error instanceof EdrRejected
  );
}
