import { type Bus, type Handler, RetryLaterError } from '@cordon/bus';
import { eventId, IsolationConfirmed, IsolationDrifted, type StoredEvent } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import { EdrRejected } from '@cordon/limacharlie';
import { type Edr, isEdrError } from './edr.ts';
import { SOURCE } from './execute.ts';

type Log = Pick<Bus['log'], 'load' | 'append'>;
type Drift = { code: string; explanation: string };

/** Looks after isolated machines until they are released, and tells when one stops being isolated, or is again. */
export function watchForDrift(log: Log, edr: Edr, pollMs: number): Handler<StoredEvent> {
  return async (event, context) => {
    if (event.type !== 'isolation.confirmed') return;
    const { incident } = (await log.load(event, event.seq)).state;
    if (incident?.id !== event.data.incidentId) return;
    if (incident.status !== 'contained' && incident.status !== 'drifted') return;
    const newest = incident.history.findLast((moment) => moment.type === 'isolation.confirmed');
    if (newest?.seq !== event.seq) return; // a later confirmation looks after it

    const drift = await driftOf(edr, incident);
    const { id: incidentId } = incident;
    const about = { source: SOURCE, at: new Date(), endpoint: event };
    if (drift && drift !== 'unknown' && incident.status === 'contained') {
      const id = eventId('isolation.drifted', event.id);
      await log.append(IsolationDrifted.create({ ...about, id, data: { incidentId, ...drift } }));
      context.log.warn({ endpointId: event.endpointId, incidentId, code: drift.code }, 'no longer isolated');
    }
    if (drift === undefined && incident.status === 'drifted') {
      const id = eventId('isolation.confirmed', event.id, 'after drift');
      await log.append(IsolationConfirmed.create({ ...about, id, data: { incidentId } }));
      context.log.info({ endpointId: event.endpointId, incidentId }, 'isolated again');
      return;
    }
    throw new RetryLaterError(pollMs, 'looking after an isolated machine');
  };
}

/** How a machine stopped being isolated; nothing while it is; `unknown` where nobody can tell right now. */
async function driftOf(edr: Edr, { endpointId, hostname }: Incident): Promise<Drift | 'unknown' | undefined> {
  try {
    const { isIsolated, shouldIsolate } = await edr.isolationOf(endpointId);
    if (isIsolated && shouldIsolate) return undefined;
    if (!shouldIsolate) {
      const state = isIsolated ? 'still reports isolated, but not for long' : 'is connected to the network';
      const explanation = `Somebody released ${hostname} in LimaCharlie, not through Cordon. It ${state}.`;
      return { code: 'withdrawn', explanation };
    }
    // What an offline sensor last reported may be old.
    if (!(await edr.isOnline(endpointId))) return 'unknown';
    const explanation = `The sensor on ${hostname} reports that it is not isolated, although LimaCharlie wants it to be. Cordon keeps watching.`;
    return { code: 'not_isolated', explanation };
  } catch (error) {
    if (error instanceof EdrRejected && error.status === 404) {
      const explanation = `LimaCharlie no longer knows a sensor for ${hostname}: whether it is isolated cannot be told.`;
      return { code: 'unknown_sensor', explanation };
    }
    if (isEdrError(error)) return 'unknown';
    throw error;
  }
}
