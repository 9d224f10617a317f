import type { KeyObject } from 'node:crypto';
import { audited, type Head, lineOf, nextRecord, NOTHING_RECORDED, recordIn, sealIn, sealOf } from '@cordon/audit';
import { type AuditLog, type Bus, type Consumption, type Handler, isConflict, RetryLaterError } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { type Logger, peopleFirst } from '@cordon/service';

type Bookmarks = Awaited<ReturnType<Bus['bucket']>>;
/** The end of the chain, the event in it, and the sequence that the next line comes after. */
type End = { head: Head; event?: { seq: number; id: string }; seq: number };

const CONFLICTS_MAX = 20;
const SEAL_EVERY_MS = 1000;
/** A seal that says nothing new is made all the same, so that everybody sees up to when nothing was recorded. */
const SEAL_AGE_MAX_MS = 60_000;
const SEAL_KEY = 'audit';

/**
 * Keeps the audit log: a record for every event, each chained to the one before and signed. Other copies of this service
 * write to the same chain: the broker takes a record only where it comes right after the last one.
 */
export function auditKeeper(log: AuditLog, bookmarks: Bookmarks, key: KeyObject) {
  let known: End | undefined; // as this process left it; whether it still is the end, the broker says
  let sealed: { n: number; at: number } | undefined;

  async function readSeal() {
    const entry = await bookmarks.get(SEAL_KEY);
    return { revision: entry?.revision, seal: entry?.operation === 'PUT' ? sealIn(entry.string())?.seal : undefined };
  }

  /** What does not read as a record was put there by others, and stays, for `cordon audit verify` to name. */
  async function findEnd(): Promise<End> {
    const { first, last } = await log.range();
    for (let seq = last; seq > 0 && seq >= first; seq--) {
      const record = recordIn((await log.lineAt(seq)) ?? '');
      if (record) return { head: record, event: record.event, seq: last };
    }
    // Emptied by age or by somebody: the chain goes on, so that one sees that there was more.
    return { head: (await readSeal()).seal ?? NOTHING_RECORDED, seq: last };
  }

  const record: Handler<StoredEvent> = async (event) => {
    await peopleFirst(event);
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      const end = known ?? (await findEnd());
      known = undefined; // until an append has succeeded
      const { event: before } = end;
      if (before?.seq === event.seq && before.id === event.id) return;
      // Older than the end: delivered twice, or redriven after all, and then it is recorded late.
      if (before && event.seq < before.seq && (await log.has(event))) return;
      const next = nextRecord(end.head, audited(event), new Date(), key);
      if (await log.append(event, lineOf(next), end.seq)) {
        known = { head: next, event, seq: end.seq + 1 };
        return;
      }
    }
    throw new RetryLaterError(1000, 'the end of the audit log does not hold still');
  };

  /** Says where the chain ends now, unless that was said a moment ago or another process has said more. */
  async function seal(now = new Date()): Promise<void> {
    if (sealed && sealed.n === known?.head.n && now.getTime() - sealed.at < SEAL_AGE_MAX_MS) return;
    const { head } = await findEnd();
    const { seal: kept, revision } = await readSeal();
    if (head.n === 0 || (kept && kept.n > head.n)) return;
    const line = lineOf(sealOf(head, now, key));
    try {
      if (revision === undefined) await bookmarks.create(SEAL_KEY, line);
      else await bookmarks.update(SEAL_KEY, line, revision);
      sealed = { n: head.n, at: now.getTime() };
    } catch (error) {
      if (!isConflict(error)) throw error; // another process has just done it
    }
  }

  return { record, seal };
}

/** Seals again and again, until stopped, and then once more. */
export function keepSealing(seal: () => Promise<void>, logger: Logger): Consumption {
  let running = Promise.resolve();
  const attempt = async (): Promise<void> => {
    await seal().catch((err: unknown) => logger.warn({ err }, 'audit log not sealed, will be tried again'));
  };
  const timer = setInterval(() => void (running = running.then(attempt)), SEAL_EVERY_MS);
  return {
    done: new Promise(() => {}),
    async stop() {
      clearInterval(timer);
      await running.then(attempt);
    },
  };
}
