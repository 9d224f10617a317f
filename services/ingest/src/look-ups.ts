import type { Bus } from '@cordon/bus';
import type { Endpoint } from '@cordon/contracts';

/** The broker forgets ids after ten minutes: a search that is older may miss what it would not recognise any more. */
const GOOD_FOR_MS = 4 * 60_000;
const MOST_ENDPOINTS = 1000;

/** Answers for many detections of one span with one search of the log per endpoint, whatever their number. */
export function createLookUps(log: Pick<Bus['log'], 'detectionsSince'>, start: Date) {
  const searches = new Map<string, { since: Date; at: number; ids: Promise<ReadonlySet<string>> }>();

  return async ({ tenantId, endpointId }: Endpoint, id: string, since: Date): Promise<boolean> => {
    const key = `${tenantId}.${endpointId}`;
    let search = searches.get(key);
    if (!search || since < search.since || Date.now() - search.at > GOOD_FOR_MS) {
      const from = since < start ? since : start;
      search = { since: from, at: Date.now(), ids: log.detectionsSince({ tenantId, endpointId }, from) };
      searches.delete(key);
      searches.set(key, search);
      const [oldest] = searches.keys();
      if (searches.size > MOST_ENDPOINTS && oldest !== undefined) searches.delete(oldest);
    }
    try {
      return (await search.ids).has(id);
    } catch (error) {
      searches.delete(key);
      throw error;
    }
  };
}
