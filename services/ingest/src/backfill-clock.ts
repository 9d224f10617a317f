import { EdrDenied, EdrRateLimited } from '@cordon/limacharlie';
import type { Logger } from '@cordon/service';
import { Counter, type Registry } from 'prom-client';
import type { Backfill } from './backfill.ts';

/** When to ask, in milliseconds. */
export type Timing = {
  /** While nothing is known to have gone wrong: BACKFILL_MINUTES. */
  slow: number;
  /** After an outage: LimaCharlie keeps its output switched off for a time that nobody knows. */
  eager: number;
  /** How long after an outage that lasts. */
  eagerFor: number;
  /** Between two passes, however often somebody asks. */
  least: number;
  /** After the first failure; doubles up to `longestRetry`. */
  firstRetry: number;
  longestRetry: number;
};
const TIMING: Omit<Timing, 'slow'> = {
  eager: 30_000,
  eagerFor: 10 * 60_000,
  least: 5000,
  firstRetry: 1000,
  longestRetry: 15_000,
};
const CONNECTION_CHECK_MS = 1000;
const STOP_WITHIN_MS = 3000;

export type ClockOptions = {
  backfill: Pick<Backfill, 'run'>;
  isConnected: () => boolean;
  timing: Partial<Timing> & Pick<Timing, 'slow'>;
  log: Logger;
  metrics: Registry;
};
/** Only after a success may somebody shorten it: a failure has its own pace. */
type Pause = { pauseMs: number; canHurry: boolean };
export type BackfillClock = {
  /** Something may have been missed: ask soon, and often for a while. */
  askSoon(): void;
  /** Ends within seconds; what was not finished is done after the next start. */
  stop(): Promise<void>;
};

/**
 * Runs passes of gap filling: at once, after an outage (`askSoon`, or the broker's connection came back), and on a slow
 * clock. Nothing of it is awaited by anybody, and nothing it meets ends the service.
 */
export function startBackfillClock({ backfill, isConnected, timing, log, metrics }: ClockOptions): BackfillClock {
  const { slow, eager, eagerFor, least, firstRetry, longestRetry } = { ...TIMING, ...timing };
  const runs = new Counter({
    name: 'cordon_backfill_runs_total',
    help: 'Passes of gap filling, by how they ended',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  const stopping = new AbortController();
  let eagerUntil = Date.now() + eagerFor; // a start ends an outage
  let isAsked = false;
  let isDenied = false;
  let failures = 0;
  let isIdle = false;
  let wake: (() => void) | undefined;

  function askSoon(): void {
    isAsked = true;
    eagerUntil = Date.now() + eagerFor;
    if (isIdle) wake?.();
  }

  /** One pass, and how long to wait until the next. */
  async function pass(): Promise<Pause> {
    isAsked = false;
    try {
      await backfill.run(stopping.signal);
    } catch (error) {
      return afterFailure(error);
    }
    runs.inc({ outcome: 'done' });
    if (isDenied) log.info('LimaCharlie lists detections again');
    isDenied = false;
    failures = 0;
    return { pauseMs: Date.now() < eagerUntil ? Math.min(eager, slow) : slow, canHurry: true };
  }

  function afterFailure(error: unknown): Pause {
    if (error instanceof EdrDenied) {
      runs.inc({ outcome: 'denied' });
      // The client's own words are left out: they name what the executor needs.
      if (!isDenied) {
        log.error(
          { permission: 'insight.det.get' },
          'gap filling does not work: LimaCharlie does not let LIMACHARLIE_API_KEY list detections. Give ingest a valid ' +
            'key with this permission, or none. Webhooks are taken as before',
        );
      }
      isDenied = true;
      return { pauseMs: slow, canHurry: false };
    }
    failures++;
    eagerUntil = Date.now() + eagerFor;
    const isRateLimited = error instanceof EdrRateLimited;
    runs.inc({ outcome: isRateLimited ? 'rate_limited' : 'failed' });
    const backoffMs = Math.min(firstRetry * 2 ** (failures - 1), longestRetry);
    const pauseMs = isRateLimited ? Math.max(error.retryAfterMs, backoffMs) : backoffMs;
    log.warn({ err: error, pauseMs }, 'gap filling failed, will be tried again');
    return { pauseMs, canHurry: false };
  }

  async function waitFor({ pauseMs, canHurry }: Pause): Promise<void> {
    await sleep(canHurry ? Math.min(least, pauseMs) : pauseMs);
    if (!canHurry || isAsked) return;
    isIdle = true;
    await sleep(pauseMs - least);
    isIdle = false;
  }

  async function sleep(ms: number): Promise<void> {
    if (stopping.signal.aborted || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  let wasConnected = isConnected();
  const connectionCheck = setInterval(() => {
    if (isConnected() && !wasConnected) askSoon();
    wasConnected = isConnected();
  }, CONNECTION_CHECK_MS).unref();

  const done = (async () => {
    while (!stopping.signal.aborted) await waitFor(await pass());
  })();

  return {
    askSoon,
    async stop() {
      clearInterval(connectionCheck);
      stopping.abort();
      wake?.();
      await Promise.race([done, new Promise((resolve) => setTimeout(resolve, STOP_WITHIN_MS).unref())]);
    },
  };
}
