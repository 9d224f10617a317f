import { type Bus, isConflict } from '@cordon/bus';
import { z } from 'zod';

const Entry = z.object({
  /** When the latest attempt began. */
  startedAt: z.iso.datetime(),
  /** When it ended without an answer that says what became of it. */
  unknownSince: z.iso.datetime().optional(),
  attempt: z.int().positive(),
  /** How the channel names the message. It was sent; for Slack, `notification.sent` is in the log as well. */
  reference: z.string().optional(),
  /** The channel will never take it: why, and while which event was told. */
  refused: z.object({ reason: z.string(), seq: z.int() }).optional(),
});
export type Entry = z.infer<typeof Entry>;
export type Kept = { entry: Entry; revision: number };

/**
 * What is about to be sent, what was, and what never will be. Written before a message is sent, so that after a crash, or
 * an answer that never came, the next attempt knows that it has to look first. Reads are consistent; the incident's own
 * list of what was sent is shorter, and may be read from a replica that lags.
 */
export interface Journal {
  find(key: string): Promise<Kept | undefined>;
  /** Starts an entry, or nothing where somebody else just did. */
  begin(key: string, entry: Entry): Promise<Kept | undefined>;
  /** Replaces an entry, or nothing where somebody else just did. */
  replace(key: string, kept: Kept, entry: Entry): Promise<Kept | undefined>;
  /** Notes the end of it, whatever was noted before. */
  settle(key: string, entry: Entry): Promise<void>;
  /** As if it had never begun: nothing was sent. */
  forget(key: string, kept: Kept): Promise<void>;
}

/** An entry for an attempt that begins now. */
export function attempt(number: number): Entry {
  return { startedAt: new Date().toISOString(), attempt: number };
}

/** A journal in a bucket of the broker. */
export function createJournal(bucket: Awaited<ReturnType<Bus['bucket']>>): Journal {
  return {
    async find(key) {
      const found = await bucket.get(key);
      return found?.operation === 'PUT' ? { entry: Entry.parse(found.json()), revision: found.revision } : undefined;
    },
    begin: (key, entry) => unlessConflict(() => bucket.create(key, JSON.stringify(entry)), entry),
    replace: (key, kept, entry) =>
      unlessConflict(() => bucket.update(key, JSON.stringify(entry), kept.revision), entry),
    async settle(key, entry) {
      await bucket.put(key, JSON.stringify(entry));
    },
    async forget(key, kept) {
      await bucket.delete(key, { previousSeq: kept.revision });
    },
  };
}

async function unlessConflict(write: () => Promise<number>, entry: Entry): Promise<Kept | undefined> {
  try {
    return { entry, revision: await write() };
  } catch (error) {
    if (isConflict(error)) return undefined;
    throw error;
  }
}

/** The key of one message about an incident. A bucket's keys know no colon. */
export function journalKey(channel: string, incidentId: string, occasion: string, ...more: string[]): string {
  return [channel, incidentId, occasion.replaceAll(':', '.'), ...more].join('.');
}
