import { isConflict } from '@cordon/bus';
import type { Endpoint } from '@cordon/contracts';
import { type Policy, tripOf } from '@cordon/policy';
import { z } from 'zod';

/** The few calls of a key-value bucket that this needs. */
type Bucket = {
  get(key: string): Promise<{ operation: string; revision: number; string(): string } | null>;
  create(key: string, value: string): Promise<unknown>;
  update(key: string, value: string, revision: number): Promise<unknown>;
};
type Limits = Policy['blast_radius'];

/** A place taken before a machine is cut off: by which decision, at which place in the log. */
const Place = z.object({ decision: z.string(), seq: z.number(), endpointId: z.string(), at: z.number() });
type Place = z.infer<typeof Place>;
const Kept = z.object({ places: z.array(Place) });

export type Reservation = 'taken' | 'used_before' | { tripped: string };

/** How many machines may be cut off within a while. Every executor of the organisation takes its places from here. */
export interface BlastRadius {
  /**
   * Takes a place for a decision. The same decision at the same place in the log has its place already; at another place
   * it is a repetition of something that was used up. `override` takes a place beyond the limit.
   */
  reserve(endpoint: Endpoint, by: { decision: string; seq: number; override: boolean }): Promise<Reservation>;
}

/** Places are kept in a bucket, changed by compare-and-set: of two executors that want the last one, one gets it. */
export function createBlastRadius(
  bucket: Bucket,
  limits: () => Limits,
  fleetSize: () => Promise<number | undefined>,
): BlastRadius {
  return {
    async reserve({ tenantId, endpointId }, { decision, seq, override }) {
      const key = `isolations.${tenantId}`;
      for (;;) {
        const entry = await bucket.get(key);
        const kept = entry?.operation === 'PUT' ? Kept.parse(JSON.parse(entry.string())).places : [];
        const now = Date.now();
        const known = kept.find((place) => place.decision === decision);
        if (known) return known.seq === seq ? 'taken' : 'used_before';
        const within = Math.max(limits().within, KEPT_MS);
        const recent = kept.filter((place) => place.at > now - within);
        const tripped = tripOf(limits(), recent, { endpointId, fleet: await fleetSize(), now });
        if (tripped !== undefined && !override) return { tripped };
        const value = JSON.stringify({ places: [...recent, { decision, seq, endpointId, at: now }] });
        try {
          await (entry ? bucket.update(key, value, entry.revision) : bucket.create(key, value));
          return 'taken';
        } catch (error) {
          if (!isConflict(error)) throw error;
        }
      }
    },
  };
}

/** Used decisions are remembered for at least as long as any could be valid. */
const KEPT_MS = 24 * 3_600_000;
