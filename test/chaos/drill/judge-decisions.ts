import { type ApprovalRequested, authenticityOf, hasToBeSigned, type StoredEvent } from '@cordon/contracts';
import { type Incident, releaseDueAt } from '@cordon/incident';
import type { Evidence } from './evidence.ts';

/** What time brings has to come so soon after it, or after the return of what has to bring it. */
const LATE_MS = 5000;

/** Whether what is due about a contained machine is overdue by so much. */
export function isReleaseOverdue(incident: Incident, at: number): boolean {
  const due = releaseDueAt(incident);
  return due !== undefined && due.getTime() < at;
}

/** Votes that were counted more than once for one question. */
export function votesIn(events: readonly StoredEvent[]): { count: number; doubled: string[] } {
  const seen = new Map<string, number>();
  const questionOf = new Map<string, string>();
  const note = (key: string): void => void seen.set(key, (seen.get(key) ?? 0) + 1);
  for (const event of events) {
    if (event.type === 'approval.requested') questionOf.set(event.data.incidentId, event.id);
    if (event.type === 'approval.voted') {
      const { incidentId, vote } = event.data;
      note(`${questionOf.get(incidentId)} by ${vote.person.subject}`);
    }
    if (event.type !== 'approval.decided') continue;
    // The last vote is told by the decision alone, the earlier ones again.
    for (const [index, { person }] of (event.data.votes ?? []).entries()) {
      const isLast = event.data.outcome === 'isolate' && index === (event.data.votes?.length ?? 0) - 1;
      if (isLast) note(`${questionOf.get(event.data.incidentId)} by ${person.subject}`);
    }
  }
  const counts = [...seen];
  return {
    count: counts.reduce((sum, [, count]) => sum + count, 0),
    doubled: counts.flatMap(([key, count]) => (count > 1 ? [`${key}, ${count} times`] : [])),
  };
}

/** Decisions to isolate with fewer different persons behind them than were asked for. */
export function tooFewPersons(events: readonly StoredEvent[]): string[] {
  const needed = new Map<string, number>();
  return events.flatMap((event) => {
    if (event.type === 'approval.requested') needed.set(event.data.incidentId, event.data.votesNeeded);
    if (event.type !== 'approval.decided' || event.data.outcome !== 'isolate') return [];
    const persons = new Set((event.data.votes ?? []).map(({ person }) => person.subject)).size;
    const wanted = needed.get(event.data.incidentId) ?? 1;
    return persons < wanted ? [`${event.data.incidentId}: ${persons} of ${wanted}`] : [];
  });
}

/** Questions, votes, decisions and releases that the holder of the key did not sign. */
export function notAuthentic({ events, keys }: Pick<Evidence, 'events' | 'keys'>): { count: number; found: string[] } {
  const signed = events.filter(hasToBeSigned);
  const found = signed.flatMap((event) => {
    const authenticity = authenticityOf(event, keys);
    return authenticity === 'authentic' ? [] : [`${event.type} ${event.id}: ${authenticity}`];
  });
  return { count: signed.length, found };
}

/** Reminders and escalations, and those that came twice or, to a question that nobody answered, never. */
export function nudges(
  events: readonly StoredEvent[],
  incidents: readonly Incident[],
): { count: number; wrong: string[] } {
  const seen = new Map<string, number>();
  for (const event of events) {
    if (event.type !== 'approval.reminded' && event.type !== 'approval.escalated') continue;
    const which = event.type === 'approval.reminded' ? 'reminded' : event.data.because;
    const key = `${event.data.incidentId} ${which} ${event.data.count}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  const wanted = incidents.flatMap(({ id, status, question }) => {
    if (status !== 'expired' || !question) return [];
    const { remindAt = [], escalate = [] } = question.terms ?? {};
    return [
      ...remindAt.map((_, index) => `${id} reminded ${index + 1}`),
      ...escalate.map((_, index) => `${id} unanswered ${index + 1}`),
      `${id} expired ${escalate.length + 1}`,
    ];
  });
  return {
    count: [...seen.values()].reduce((sum, count) => sum + count, 0),
    wrong: [
      ...[...seen].flatMap(([key, count]) => (count > 1 ? [`${key}, ${count} times`] : [])),
      ...wanted.filter((key) => !seen.has(key)).map((key) => `${key}, never`),
    ],
  };
}

/** What time brought, and what of it came late: measured from the return of approval and broker where they were away. */
export function late({ events, outages }: Pick<Evidence, 'events' | 'outages'>): { count: number; late: string[] } {
  const away = outages.filter(({ target }) => target === 'approval' || target.startsWith('node'));
  const found: string[] = [];
  let count = 0;
  for (const { what, due, at } of dueIn(events)) {
    count++;
    const from = away
      .filter((outage) => outage.at <= at && outage.backAt >= due)
      .reduce((latest, { backAt }) => Math.max(latest, backAt), due);
    if (!(at - from <= LATE_MS)) found.push(`${what}: ${at - from} ms after its time`);
  }
  return { count, late: found };
}

type Due = { what: string; due: number; at: number };

function dueIn(events: readonly StoredEvent[]): Due[] {
  const asked = new Map<string, ApprovalRequested['data']>();
  const confirmedAt = new Map<string, number>();
  const found: Due[] = [];
  for (const event of events) {
    if (!('incidentId' in event.data)) continue;
    const { incidentId } = event.data;
    const at = Date.parse(event.time);
    if (event.type === 'approval.requested') asked.set(incidentId, event.data);
    if (event.type === 'isolation.confirmed') confirmedAt.set(incidentId, at);
    const question = asked.get(incidentId);
    const due = question && dueOf(event, question, confirmedAt.get(incidentId));
    if (due !== undefined) found.push({ what: `${event.type} about ${incidentId}`, due, at });
  }
  return found;
}

function instant(time: string | undefined): number {
  return Date.parse(time ?? '');
}

/** When an event was due that time alone brings. */
function dueOf(
  event: StoredEvent,
  { terms, expiresAt }: ApprovalRequested['data'],
  confirmedAt = Number.NaN,
): number | undefined {
  if (event.type === 'approval.reminded') return instant(terms?.remindAt[event.data.count - 1]);
  if (event.type === 'approval.escalated' && event.data.because === 'unanswered') {
    return instant(terms?.escalate[event.data.count - 1]?.at);
  }
  if (event.type === 'approval.decided' && event.data.outcome === 'expired') return instant(expiresAt);
  if (event.type !== 'release.requested' || event.data.channel !== 'timer') return undefined;
  return confirmedAt + (terms?.releaseAfterMs ?? Number.NaN);
}

/** How long machines were isolated, all together, as far as the log tells. */
export function isolatedMs(events: readonly StoredEvent[], endedAt: number): number {
  const since = new Map<string, number>();
  let total = 0;
  for (const { type, endpointId, time } of events) {
    const at = Date.parse(time);
    if (type === 'isolation.confirmed' && !since.has(endpointId)) since.set(endpointId, at);
    const from = since.get(endpointId);
    if (type === 'release.requested' && from !== undefined) {
      total += at - from;
      since.delete(endpointId);
    }
  }
  for (const from of since.values()) total += endedAt - from;
  return total;
}
