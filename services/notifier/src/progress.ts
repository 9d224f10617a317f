import { CONSUMERS } from '@cordon/bus';
import type { Endpoint, StoredEvent } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';

/** How far Slack is with one incident, in places of the log. */
type Reached = {
  incidentId: string;
  /** From where on events are surely about this incident. */
  from: number;
  /** The thread tells everything up to here. */
  thread: number;
  /** The incident's message shows everything up to here. */
  message: number;
  updatedAt: number;
  /** Whether the event behind the newest news comes to this service, which then brings the message up to date. */
  newestComes: boolean;
};

/**
 * What this process knows to be told already. It only saves work: a restart forgets it, and everything is looked at once
 * more.
 */
export interface Progress {
  /** Whether an event has nothing to add, known without a look at the log. */
  covers(event: StoredEvent, redelivered: boolean): boolean;
  /** Where the incident's message stands. */
  of(incident: Incident): Pick<Reached, 'message' | 'updatedAt'>;
  note(incident: Incident, reached: Partial<Pick<Reached, 'thread' | 'message' | 'updatedAt'>>): void;
}

const MACHINES_KEPT = 2000;
/** Per machine, the last ones told. */
const INCIDENTS_KEPT = 5;

/** Progress of the machines seen last. */
export function createProgress(): Progress {
  const machines = new Map<string, Reached[]>();
  const reachedOf = (incident: Incident): Reached | undefined =>
    machines.get(keyOf(incident))?.find(({ incidentId }) => incidentId === incident.id);

  return {
    covers(event, redelivered) {
      return (machines.get(keyOf(event)) ?? []).some((reached) => {
        if (event.seq < reached.from) return false;
        if (event.seq <= Math.min(reached.thread, reached.message)) return true;
        // Else the event behind the newest news is still to come. One that comes back may have been that event.
        return !redelivered && reached.newestComes && event.seq < reached.thread;
      });
    },
    of: (incident) => reachedOf(incident) ?? { message: 0, updatedAt: 0 },
    note(incident, more) {
      const before = reachedOf(incident) ?? { thread: 0, message: 0, updatedAt: 0 };
      const reached = {
        ...before,
        ...more,
        incidentId: incident.id,
        from: incident.history[0]?.seq ?? incident.lastSeq,
        newestComes: newestComes(incident),
      };
      // Of a machine that was released and detected again, events of both incidents may be under way.
      const others = (machines.get(keyOf(incident)) ?? []).filter(({ incidentId }) => incidentId !== incident.id);
      machines.delete(keyOf(incident));
      machines.set(keyOf(incident), [...others, reached].slice(-INCIDENTS_KEPT));
      const [oldest] = machines.keys();
      if (machines.size > MACHINES_KEPT && oldest !== undefined) machines.delete(oldest);
    },
  };
}

function keyOf({ tenantId, endpointId }: Endpoint): string {
  return `${tenantId}/${endpointId}`;
}

/** Not every event that changes an incident is sent to this service. */
export function newestComes({ history, lastSeq }: Incident): boolean {
  const last = history.at(-1);
  return last?.seq !== lastSeq || CONSUMERS.slack.filters.some((filter) => filter.endsWith(`.${last.type}`));
}
