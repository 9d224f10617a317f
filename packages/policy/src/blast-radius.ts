import { durationText } from './duration.ts';
import type { Policy } from './parse-policy.ts';

/** A machine that was cut off, and when. */
export type Place = { endpointId: string; at: number };

/**
 * Why one more machine would be too many, in words; nothing where it is not. The machine itself does not count: it cannot
 * be cut off twice. `fleet` is how many machines there are, if anybody knows.
 */
export function tripOf(
  { isolations, within, fleet_percent }: Policy['blast_radius'],
  places: readonly Place[],
  { endpointId, fleet, now }: { endpointId: string; fleet: number | undefined; now: number },
): string | undefined {
  const lately = places.filter((place) => place.at > now - within && place.endpointId !== endpointId);
  const { size } = new Set(lately.map((place) => place.endpointId));
  const others = `${size} other ${size === 1 ? 'machine was' : 'machines were'} isolated within ${durationText(within)}`;
  if (size + 1 > isolations) return `${others}, and the policy allows ${isolations}.`;
  if (fleet === undefined) return undefined;
  const share = Math.max(1, Math.ceil((fleet * fleet_percent) / 100));
  if (size + 1 <= share) return undefined;
  return `${others}, and the policy allows ${fleet_percent} % of ${fleet} machines, which is ${share}.`;
}
