import type { Endpoint } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import type { KV, KvEntry } from '@nats-io/kv';
import { LRUCache } from 'lru-cache';
import { isConflict } from './errors.ts';
import {
  endpointKey,
  incidentKey,
  nothingFolded,
  type Snapshot,
  SNAPSHOT_VERSION,
  snapshotsOf,
  type View,
} from './fold.ts';

/** What a key holds: the broker's revision of it, and how far into the log it reaches. */
type Written = { revision: number; seq: number };
const WRITTEN_KEPT = 5000;

/** What is kept of views, so that no fold begins at the first event. */
export interface Snapshots {
  /** The view to go on from. */
  read(endpoint: Endpoint): Promise<{ view: View; bytes: number }>;
  /** Keeps a view, unless a newer one is kept already. */
  keep(view: View): Promise<void>;
  findIncident(id: string): Promise<Incident | undefined>;
}

export function createSnapshots(bucket: KV): Snapshots {
  /** What this process wrote last: then one write does, without a look first. */
  const written = new LRUCache<string, Written>({ max: WRITTEN_KEPT });

  async function putNewer(key: string, value: { seq: number }): Promise<void> {
    const text = JSON.stringify(value);
    let known = written.get(key);
    for (;;) {
      if (known && known.seq >= value.seq) return;
      try {
        const revision = known ? await bucket.update(key, text, known.revision) : await bucket.create(key, text);
        written.set(key, { revision, seq: value.seq });
        return;
      } catch (error) {
        if (!isConflict(error)) throw error;
        known = writtenIn(await bucket.get(key));
      }
    }
  }

  return {
    async read(endpoint) {
      const entry = await bucket.get(endpointKey(endpoint));
      if (entry?.operation === 'PUT') {
        const { version, ...snapshot } = entry.json<Snapshot>();
        if (version === SNAPSHOT_VERSION)
          return { view: { ...nothingFolded(endpoint), ...snapshot }, bytes: entry.value.length };
      }
      return { view: nothingFolded(endpoint), bytes: 0 };
    },

    async keep(view) {
      for (const { key, value } of snapshotsOf(view)) await putNewer(key, value);
    },

    async findIncident(id) {
      if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
      const entry = await bucket.get(incidentKey(id));
      return entry?.operation === 'PUT' ? entry.json<{ incident: Incident }>().incident : undefined;
    },
  };
}

function writtenIn(entry: KvEntry | null): Written | undefined {
  return entry?.operation === 'PUT' ? { revision: entry.revision, seq: entry.json<{ seq: number }>().seq } : undefined;
}
