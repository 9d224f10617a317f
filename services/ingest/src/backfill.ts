import { TooLargeError } from '@cordon/bus';
import type { LimaCharlieClient, WebhookRecord } from '@cordon/limacharlie';
import type { Logger } from '@cordon/service';
import { Counter, type Registry } from 'prom-client';
import type { Outcome } from './answers.ts';
import type { bookmarkIn } from './bookmark.ts';
import { isWanted } from './is-wanted.ts';
import type { Keeper, Receipt } from './store.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Asked again each time: clocks differ, and LimaCharlie lists a detection some time after it was made. */
export const OVERLAP_MS = 15 * MINUTE_MS;
/** What is older says more about the past than about what to isolate now. */
export const LONGEST_GAP_MS = 7 * DAY_MS;
/** Of a record that not even the quarantine takes. */
const BEGINNING_BYTES = 64 * 1024;

export type BackfillParts = {
  client: Pick<LimaCharlieClient, 'detections'>;
  /** Opens the bookmark; asked again until it succeeds. */
  openBookmark: () => Promise<ReturnType<typeof bookmarkIn>>;
  keeper: Keeper;
  ruleTags: readonly string[];
  log: Logger;
  metrics: Registry;
};
type Pass = {
  start: Date;
  end: Date;
  cursor?: string;
  counts: Record<Outcome, number>;
  hasDetection: NonNullable<Receipt['hasDetection']>;
};

/**
 * Asks LimaCharlie what it detected since the bookmark and puts it where webhooks go; what is there already stays single.
 *
 * A pass that fails throws what the client or the broker threw. The next call goes on at the page where it stopped, or
 * begins anew where it had none. Calls must not overlap.
 */
export function createBackfill({ client, openBookmark, keeper, ruleTags, log, metrics }: BackfillParts) {
  const backfilled = new Counter({
    name: 'cordon_backfilled_total',
    help: 'Records that LimaCharlie was asked for, by what became of them: stored are those that no webhook had brought',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  let bookmark: ReturnType<typeof bookmarkIn> | undefined;
  let unfinished: Pass | undefined;

  async function begin(now: Date): Promise<Pass | undefined> {
    bookmark ??= await openBookmark();
    const { since, upTo, isNew } = await bookmark.open(now);
    if (isNew) {
      log.info({ upTo }, 'gap filling begins here: what LimaCharlie detected before is left where it is');
      return undefined;
    }
    const oldest = new Date(now.getTime() - LONGEST_GAP_MS);
    if (upTo < oldest)
      log.warn({ upTo, takenFrom: oldest }, 'away for more than 7 days: the rest of the gap stays open');
    const start = Math.max(upTo.getTime() - OVERLAP_MS, since.getTime(), oldest.getTime());
    return {
      start: new Date(start),
      end: now,
      counts: { stored: 0, duplicate: 0, quarantined: 0 },
      hasDetection: keeper.lookUps(new Date(start)),
    };
  }

  async function keep(records: readonly WebhookRecord[], pass: Pass): Promise<void> {
    const { counts, hasDetection } = pass;
    const receipt: Receipt = { receivedAt: new Date(), mediaType: 'application/json', isBackfill: true, hasDetection };
    const count = (outcome: Outcome): void => {
      counts[outcome]++;
      backfilled.inc({ outcome });
    };
    try {
      for (const outcome of await keeper.keepAll(records, receipt)) count(outcome);
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      const [record, ...others] = records;
      if (record === undefined) return;
      if (others.length > 0) {
        for (const one of records) await keep([one], pass);
        return;
      }
      const bytes = Buffer.from(record.text);
      const problem = `The record has ${bytes.length} bytes: only its beginning could be kept. LimaCharlie has the rest.`;
      count(await keeper.quarantine(bytes.subarray(0, BEGINNING_BYTES), problem, receipt));
    }
  }

  return {
    /** One pass up to now, or up to where `signal` ends it: then the bookmark stays. */
    async run(signal: AbortSignal): Promise<void> {
      const pass = unfinished ?? (await begin(new Date()));
      if (!pass) return;
      try {
        for await (const { records, nextCursor } of client.detections(pass, pass.cursor)) {
          const wanted = records.filter((record) => isWanted(record, ruleTags));
          await keep(wanted, pass);
          if (nextCursor !== undefined) pass.cursor = nextCursor;
          if (signal.aborted) return;
        }
        await bookmark?.moveTo(pass.end);
      } catch (error) {
        // A cursor that is refused would be refused for ever.
        const isRefused = error instanceof Error && 'kind' in error && error.kind === 'rejected';
        unfinished = pass.cursor === undefined || isRefused ? undefined : pass;
        throw error;
      }
      unfinished = undefined;
      const { start, end, counts } = pass;
      if (counts.stored > 0) log.info({ start, end, ...counts }, 'gap filled: LimaCharlie had not delivered these');
      else log.debug({ start, end, ...counts }, 'no gap');
    },
  };
}
export type Backfill = ReturnType<typeof createBackfill>;
