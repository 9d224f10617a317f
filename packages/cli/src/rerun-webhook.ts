import type { Operator, Quarantined } from '@cordon/bus';
import { createKeeper } from '@cordon/ingest/src/store.ts';
import { parseWebhook } from '@cordon/limacharlie';
import { createLogger } from '@cordon/service';
import { Registry } from 'prom-client';

/** What became of a quarantined webhook that was tried again. */
export type Rerun = { outcome: 'stored' | 'duplicate' } | { outcome: 'not understood'; problem: string };

/**
 * Runs the bytes of a quarantined webhook through ingest's own code once more: the parser and the de-duplication of today.
 * As far as they are still not understood, nothing is stored, and the record has to stay where it is.
 */
export async function rerunWebhook(operator: Operator, record: Quarantined): Promise<Rerun> {
  let problem: string | undefined;
  const keeper = createKeeper({
    bus: {
      log: await operator.log(),
      quarantine: async (again) => {
        problem ??= again.problem;
        return { duplicate: true }; // it is in quarantine already
      },
    },
    log: createLogger('cordon', 'silent'),
    metrics: new Registry(),
  });
  const text = decoded(Buffer.from(record.body, 'base64'));
  if (text === undefined) return { outcome: 'not understood', problem: 'The body is not valid UTF-8.' };
  // Received now, not then: how far the log is searched for an earlier copy is counted from here.
  const receipt = { receivedAt: new Date(), mediaType: record.mediaType };
  const outcomes = await keeper.keepAll(parseWebhook(text), receipt);
  if (problem !== undefined) return { outcome: 'not understood', problem };
  return { outcome: outcomes.includes('stored') ? 'stored' : 'duplicate' };
}

function decoded(body: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}
