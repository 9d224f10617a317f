import { type Backoff, createBackoff, later } from './backoff.ts';

/** `first`: the first message of an incident. `later`: all that can wait for those. */
export type Priority = 'first' | 'later';

/** The way to one rate-limited method of a vendor. */
export interface Lane extends Pick<Backoff, 'failed' | 'succeeded'> {
  /**
   * Waits for a turn. Throws `RetryLaterError` where the wait would keep the caller from more urgent work: while the lane
   * is paused, and when too many others wait already.
   */
  take(priority: Priority): Promise<void>;
  /** A turn that was not needed. */
  giveBack(): void;
  /** Throws `RetryLaterError` while the lane is paused. */
  check(): void;
}

/** Waiting in the lane holds a place in the consumer, which the first message of the next incident may need. */
const LATER_WAITING_MAX = 4;
/** So long at most those are sent away for whom there was no turn; with more than come by in that time it is a matter of luck. */
const SENT_AWAY_MAX_MS = 30_000;
const PAUSED = 'the channel is paused';

/** A token bucket with two queues; first messages overtake. A failure pauses the lane for everybody. */
export function createLane({ burst, perSecond }: { burst: number; perSecond: number }): Lane {
  const backoff = createBackoff({ firstMs: 1000, maxMs: 30_000 });
  const waiting: Record<Priority, { go: () => void; fail: (error: Error) => void }[]> = { first: [], later: [] };
  let tokens = burst;
  let filledAt = Date.now();
  let timer: NodeJS.Timeout | undefined;
  /** When the last one of those that were sent away comes back. */
  let comesBackAt = 0;

  function fill(): void {
    const now = Date.now();
    tokens = Math.min(burst, tokens + ((now - filledAt) / 1000) * perSecond);
    filledAt = now;
  }

  function pump(): void {
    fill();
    while (tokens >= 1) {
      const next = waiting.first.shift() ?? waiting.later.shift();
      if (!next) return;
      tokens--;
      next.go();
    }
    if (waiting.first.length + waiting.later.length === 0) return;
    timer ??= setTimeout(
      () => {
        timer = undefined;
        pump();
      },
      Math.ceil(((1 - tokens) / perSecond) * 1000),
    );
  }

  function check(): void {
    const remainingMs = backoff.remainingMs();
    if (remainingMs > 0) throw later(remainingMs, PAUSED);
  }

  /** One after the other, as fast as turns come: many that come back in vain would keep the process from new messages. */
  function comeBackInMs(): number {
    const now = Date.now();
    const turnMs = 1000 / perSecond;
    comesBackAt = Math.max(comesBackAt, now + waiting.later.length * turnMs) + turnMs;
    if (comesBackAt - now < SENT_AWAY_MAX_MS) return comesBackAt - now;
    comesBackAt = now + SENT_AWAY_MAX_MS;
    return SENT_AWAY_MAX_MS * (1 + Math.random());
  }

  return {
    check,
    async take(priority) {
      check();
      if (priority === 'later' && waiting.later.length >= LATER_WAITING_MAX) {
        throw later(comeBackInMs(), 'others are waiting to post already');
      }
      await new Promise<void>((go, fail) => {
        waiting[priority].push({ go, fail });
        pump();
      });
    },
    giveBack() {
      tokens++;
      pump();
    },
    failed(askedMs) {
      const delayMs = backoff.failed(askedMs);
      for (const { fail } of [...waiting.first.splice(0), ...waiting.later.splice(0)]) fail(later(delayMs, PAUSED));
      return delayMs;
    },
    succeeded: () => backoff.succeeded(),
  };
}
