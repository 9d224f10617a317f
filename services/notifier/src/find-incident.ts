import type { EndpointLog, MessageLog } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { type Incident, incidentIdOf, isClosed } from '@cordon/incident';

/**
 * The incident that an event is about, as it stands now; nothing where there is none any more. Incidents of a machine are
 * stretches of its log, one after the other: a detection that did not open one belongs to the first that reaches that far.
 */
export async function findIncident(log: EndpointLog, event: StoredEvent): Promise<Incident | undefined> {
  const { state, replaced } = await log.load(event, event.seq);
  const known = [...replaced, ...(state.incident ? [state.incident] : [])];
  const byId = async (id: string) => known.find((incident) => incident.id === id) ?? (await log.findIncident(id));
  if ('incidentId' in event.data) return byId(event.data.incidentId);
  if (event.type !== 'detection.raised') return undefined;
  return (await byId(incidentIdOf(event.data.detection))) ?? known.find((incident) => incident.lastSeq >= event.seq);
}

const TOLD_FOR_MS = 7 * 86_400_000;

/** A channel that is switched on after months does not tell the months. Nothing that is still open is ever too old. */
export function isLongOver(incident: Incident, event: StoredEvent, log: MessageLog): boolean {
  const isOver = isClosed(incident) && Date.now() - Date.parse(event.time) > TOLD_FOR_MS;
  if (isOver) log.info({ incidentId: incident.id }, 'over for more than a week, not told any more');
  return isOver;
}
