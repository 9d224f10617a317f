import type { Endpoint } from '@cordon/contracts';
import { LRUCache } from 'lru-cache';
import { endpointKey, type Entry, fold, nothingFolded, type View } from './fold.ts';

const BYTES_MAX = 8_000_000;
/** A view that took more to fold begins anew at its snapshot: so incidents that ended do not pile up in it. */
const VIEW_BYTES_MAX = 500_000;

/** A view, how much was read to fold it, and whether it is kept up to date: as long as no event was missed since. */
type Folded = { view: View; bytes: number; liveSince?: number | undefined };

/**
 * The views of the endpoints seen last: a look into the log goes on where the last one ended. Never the truth, which is
 * why whoever meets a conflict forgets the view and begins at the snapshot.
 */
export interface Views {
  get(endpoint: Endpoint): Folded | undefined;
  /** Keeps a view, unless a newer one is kept. */
  set(folded: Folded): void;
  /** Folds what just happened into a view that is kept up to date: one that is known, or that of a new machine. */
  advance(key: string, entry: Entry, liveSince: number | undefined): void;
  /** Incidents that ended up to `seq` are kept elsewhere now. */
  settle(endpoint: Endpoint, seq: number): void;
  forget(endpoint: Endpoint): void;
}

export function createViews(): Views {
  const kept = new LRUCache<string, Folded>({
    maxSize: BYTES_MAX,
    maxEntrySize: VIEW_BYTES_MAX,
    sizeCalculation: ({ bytes }) => Math.max(1, bytes),
  });
  return {
    get: (endpoint) => kept.get(endpointKey(endpoint)),
    set(folded) {
      const key = endpointKey(folded.view.endpoint);
      const known = kept.peek(key);
      if (known && known.view.seq > folded.view.seq) return;
      // One that was kept up to date has all that came so far, and so has whatever reaches further.
      kept.set(key, { liveSince: known?.liveSince, ...folded });
    },
    advance(key, entry, liveSince) {
      const known = kept.peek(key) ?? unknownUntil(entry, liveSince);
      if (!known || liveSince === undefined || known.liveSince !== liveSince || known.view.seq >= entry.seq) return;
      kept.set(key, { view: fold(known.view, entry), bytes: known.bytes + entry.bytes, liveSince });
    },
    settle(endpoint, seq) {
      const key = endpointKey(endpoint);
      const known = kept.peek(key);
      if (!known || known.view.replaced.length === 0) return;
      const { view } = known;
      const replaced = view.replaced.filter(({ id }) => (view.replacedAt[id] ?? seq) > seq);
      kept.set(key, { ...known, view: { ...view, replaced } });
    },
    forget: (endpoint) => void kept.delete(endpointKey(endpoint)),
  };
}

function unknownUntil({ isFirst, event }: Entry, liveSince: number | undefined): Folded | undefined {
  if (!isFirst || !event) return undefined;
  const { tenantId, endpointId } = event;
  return { view: nothingFolded({ tenantId, endpointId }), bytes: 0, liveSince };
}
