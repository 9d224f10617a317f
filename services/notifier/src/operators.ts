import type { DeadLetter, Handler, Quarantined } from '@cordon/bus';
import { later } from './backoff.ts';

/** How operators are told: one plain sentence. Rejects with `RetryLaterError` where it did not work. */
export type TellOperators = (sentence: string, id: string) => Promise<void>;

const PAUSE_MS = 60_000;

/**
 * Tells operators that something was put aside, at most once per minute with how many it were and since when. One message
 * of those that came in between stays unacknowledged, so that after a crash they are still told, if with a smaller number.
 * Nothing of what was put aside is shown: whoever wrote it may have wanted it in front of operators.
 */
function collect(tell: TellOperators, id: string, words: (count: number) => string): Handler<{ seq: number }> {
  let nextAt = 0;
  let open: { seq: number; count: number; since: string } | undefined;
  return async ({ seq }) => {
    open ??= { seq, count: 0, since: new Date().toISOString() };
    const isKeeper = open.seq === seq;
    if (!isKeeper || open.count === 0) open.count++;
    if (!isKeeper) return;
    const waitMs = nextAt - Date.now();
    if (waitMs > 0) throw later(waitMs, 'operators were just told');
    const { count, since } = open;
    await tell(`${words(count)} Since ${since}.`, `${id}.${seq}`);
    nextAt = Date.now() + PAUSE_MS;
    open = undefined;
  };
}

/** Authentic records that nobody could understand. */
export function tellOfQuarantine(tell: TellOperators): Handler<Quarantined & { seq: number }> {
  return collect(
    tell,
    'quarantine',
    (count) =>
      `Cordon could not understand ${count === 1 ? 'a record' : `${count} records`} from LimaCharlie: no alert was raised for ${count === 1 ? 'it' : 'them'}. ` +
      `Nothing is lost: the exact bytes are kept in quarantine.`,
  );
}

/** Messages that a service gave up on. */
export function tellOfDeadLetters(tell: TellOperators): Handler<DeadLetter & { seq: number }> {
  return collect(
    tell,
    'dead-letter',
    (count) =>
      `Cordon gave up on ${count === 1 ? 'a message' : `${count} messages`}: somebody has to look. ` +
      `Nothing is lost: the reason is kept with each dead letter, and it can be redriven once the cause is fixed.`,
  );
}
