import { eventIn, type Operator } from '@cordon/bus';
import { type StoredEvent, subjectOf } from '@cordon/contracts';
import { type EndpointState, evolve, type Incident, NOTHING_HAPPENED } from '@cordon/incident';
import { CommandError, EXIT } from './command.ts';

/** An incident as its log gives it now, and every event that belongs to it. */
export type IncidentLog = { incident: Incident; events: StoredEvent[] };

/** Finds an incident by its id or the beginning of one. Throws `CommandError` where that is none, or several. */
export async function findIncident(operator: Operator, id: string): Promise<IncidentLog> {
  if (!/^[0-9a-f]{4,32}$/.test(id)) {
    throw new CommandError(EXIT.usage, `'${id}' is no incident: give its id, or at least the first 4 characters.`);
  }
  const matches: Incident[] = [];
  if (id.length === 32) {
    const kept = await (await operator.log()).findIncident(id);
    if (kept) matches.push(kept);
  } else for await (const incident of operator.incidents()) if (incident.id.startsWith(id)) matches.push(incident);
  const [first, second] = matches;
  if (!first) throw new CommandError(EXIT.notFound, `There is no incident ${id}. \`cordon incidents\` lists them.`);
  if (second) throw new CommandError(EXIT.usage, `${id} begins the id of several incidents: give more of it.`);
  return readIncident(operator, first);
}

/** Folds the endpoint's log and keeps what is about this incident: what is kept may be older than the log. */
async function readIncident(operator: Operator, kept: Incident): Promise<IncidentLog> {
  let state: EndpointState = NOTHING_HAPPENED;
  let incident = kept;
  const events: StoredEvent[] = [];
  for await (const message of operator.read({ seq: 1, filter: subjectOf(kept, '>') })) {
    let event: StoredEvent;
    try {
      event = eventIn(message);
    } catch {
      continue; // its consumers put it into the dead letters
    }
    state = evolve(state, event);
    const isAbout = 'incidentId' in event.data ? event.data.incidentId === kept.id : state.incident?.id === kept.id;
    if (isAbout) events.push(event);
    if (state.incident?.id === kept.id) incident = state.incident;
  }
  return { incident, events };
}
