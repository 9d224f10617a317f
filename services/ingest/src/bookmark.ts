import { type Bus, isConflict } from '@cordon/bus';
import { z } from 'zod';

const Bookmark = z.object({
  /** When gap filling began here: nothing older is ever asked for. */
  since: z.coerce.date(),
  /** Everything made before this is known to be present. */
  upTo: z.coerce.date(),
});
export type Bookmark = z.infer<typeof Bookmark>;
type Bucket = Awaited<ReturnType<Bus['bucket']>>;

/** How far the detections of one organisation are known to be complete, kept in the broker for every replica. */
export function bookmarkIn(bucket: Bucket, oid: string) {
  const key = `limacharlie.${oid}`;

  async function read(): Promise<(Bookmark & { revision: number }) | undefined> {
    const entry = await bucket.get(key);
    if (entry?.operation !== 'PUT') return undefined;
    return { ...Bookmark.parse(entry.json()), revision: entry.revision };
  }

  return {
    /** The bookmark; where there is none, `now` becomes it, and `isNew` says so. */
    async open(now: Date): Promise<Bookmark & { isNew: boolean }> {
      for (;;) {
        const known = await read();
        if (known) return { ...known, isNew: false };
        const first = { since: now, upTo: now };
        if (await wins(() => bucket.create(key, JSON.stringify(first)))) return { ...first, isNew: true };
      }
    },

    /** Moves it forward by compare-and-set; where it is as far already, it stays. */
    async moveTo(upTo: Date): Promise<void> {
      for (;;) {
        const known = await read();
        if (known && known.upTo >= upTo) return;
        const next = JSON.stringify({ since: known?.since ?? upTo, upTo });
        const { revision } = known ?? {};
        const write = () => (revision === undefined ? bucket.create(key, next) : bucket.update(key, next, revision));
        if (await wins(write)) return;
      }
    },
  };
}

/** Whether a write was the first; false where another replica was faster. */
async function wins(write: () => Promise<number>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}
