import type { LimaCharlieClient } from '@cordon/limacharlie';
import type { Logger } from '@cordon/service';

const COUNTED_FOR_MS = 10 * 60_000;

/**
 * How many machines the organisation has, counted at most every ten minutes. Undefined where that cannot be told: then the
 * share of the fleet is no limit, and the log says so once.
 */
export function fleetCounter(
  edr: Pick<LimaCharlieClient, 'countSensors'>,
  log: Logger,
): () => Promise<number | undefined> {
  let known: { size: number | undefined; at: number } | undefined;
  return async () => {
    if (known && Date.now() - known.at < COUNTED_FOR_MS) return known.size;
    try {
      known = { size: await edr.countSensors(), at: Date.now() };
    } catch (err) {
      if (known?.size !== undefined || !known) log.warn({ err }, 'the fleet cannot be counted: its share is no limit');
      known = { size: undefined, at: Date.now() };
    }
    return known.size;
  };
}
