import type { StoredEvent } from '@cordon/contracts';
import type { Incident, Status } from '@cordon/incident';
import { doubledMails, doubledPosts } from './doubles.ts';
import { type Evidence, incidentsIn } from './evidence.ts';
import { isolatedMs, isReleaseOverdue, late, notAuthentic, nudges, tooFewPersons, votesIn } from './judge-decisions.ts';

/** One line of the table: something counted, what must be zero about it, and how much of that was found. */
export type Row = { counted: string; count: number; fault: string; found: number; explained?: number };
export type Verdict = { rows: Row[]; violations: string[]; explanations: string[] };

const FINAL: ReadonlySet<Status> = new Set<Status>([
  'left',
  'expired',
  'contained',
  'refused',
  'failed',
  'simulated',
  'released',
]);
/** A timer may fire late while nodes come and go; after this it is lost. */
const OVERDUE_MS = 30_000;
/** A sensor needs 10 s and is looked at every two. Far more looks say that somebody does not wait between them. */
const LOOKS_PER_ISOLATION_MAX = 12;

/** Looks fail while LimaCharlie does, and are repeated. */
const DRIFT_LOOKS_SLACK = 2;

const NAMED_MAX = 10;

/** Counts at the outer ends. Pure. */
export function judge(evidence: Evidence): Verdict {
  const { accepted, events, isolationCalls, looks, slack, mails, told, outages, endedAt } = evidence;
  const violations: string[] = [];
  const explanations: string[] = [];
  const rows: Row[] = [];
  const row = (counted: string, count: number, fault: string, faults: string[], explained?: number): void => {
    rows.push({ counted, count, fault, found: faults.length, ...(explained !== undefined && { explained }) });
    violations.push(...faults.slice(0, NAMED_MAX).map((text) => `${fault}: ${text}`));
    if (faults.length > NAMED_MAX) violations.push(`${fault}: and ${faults.length - NAMED_MAX} more`);
  };
  const incidents = incidentsIn(events);

  const raised = countBy(events, (event) =>
    event.type === 'detection.raised' ? event.data.detection.finding_info.uid : undefined,
  );
  row(
    'webhooks accepted',
    accepted.size,
    'lost',
    [...accepted].filter((id) => !raised.has(id)),
  );
  row('detections in the log', total(raised), 'doubled detection', moreThanOne(raised));

  row('incidents', incidents.length, 'stuck incident', [
    ...incidents.filter((incident) => isStuck(incident, endedAt)).map(named),
    ...evidence.restless.map((text) => `not quiet: ${text}`),
  ]);
  const asked = ofType(events, 'approval.requested');
  row('questions', total(asked), 'doubled question', moreThanOne(asked));
  const decided = ofType(events, 'approval.decided');
  row('decisions', total(decided), 'doubled decision', moreThanOne(decided));
  const byId = new Map(incidents.map((incident) => [incident.id, incident]));
  const untrue = told.filter(({ incidentId, subject, outcome }) => {
    const { decision, question } = byId.get(incidentId) ?? {};
    if (outcome === 'leave') return decision?.decidedBy?.subject !== subject || decision.outcome !== 'leave';
    const votes = [...(question?.votes ?? []), ...(decision?.votes ?? [])];
    return !votes.some(({ person }) => person.subject === subject);
  });
  row(
    'people told that it was taken',
    told.length,
    'answer that does not stand',
    untrue.map((one) => JSON.stringify(one)),
  );

  const votes = votesIn(events);
  row('votes', votes.count, 'doubled vote', votes.doubled);
  const authenticity = notAuthentic(evidence);
  row('signed events', authenticity.count, 'not authentic', authenticity.found);
  const nudged = nudges(events, incidents);
  row('reminders and escalations', nudged.count, 'doubled or missing', nudged.wrong);
  const timely = late(evidence);
  row('things whose time came', timely.count, 'more than 5 s late', timely.late);

  const wanted = countBy(incidents, ({ decision, endpointId }) =>
    decision?.outcome === 'isolate' ? endpointId : undefined,
  );
  const called = countBy(isolationCalls, ({ sid }) => sid);
  const endpoints = new Set([...wanted.keys(), ...called.keys()]);
  const calls = (sid: string): number => called.get(sid) ?? 0;
  const wishes = (sid: string): number => wanted.get(sid) ?? 0;
  row(
    'isolation calls',
    total(called),
    'doubled isolation',
    [...endpoints].filter((sid) => wishes(sid) > 0 && calls(sid) > wishes(sid)),
  );
  row(
    'decided to isolate',
    total(wanted),
    'isolation missing',
    [...endpoints].filter((sid) => calls(sid) < wishes(sid)),
  );
  row('persons behind them', personsIn(incidents), 'too few persons', tooFewPersons(events));
  row(
    'not decided to isolate',
    incidents.length - total(wanted),
    'isolation nobody decided',
    [...endpoints].filter((sid) => wishes(sid) === 0),
  );
  const released = new Set(
    events.filter(({ type }) => type === 'release.requested').map(({ endpointId }) => endpointId),
  );
  row(
    'release calls',
    evidence.releaseCalls.length,
    'release nobody asked for',
    evidence.releaseCalls.map(({ sid }) => sid).filter((sid) => !released.has(sid)),
  );
  // Until it is confirmed, and then for as long as it is isolated; the way back is followed like the way there.
  const drifting = (isolatedMs(events, endedAt) / evidence.driftPollMs) * DRIFT_LOOKS_SLACK;
  const looksMax = Math.ceil((Math.max(1, total(wanted)) + released.size) * LOOKS_PER_ISOLATION_MAX + drifting);
  row('looks at sensors', looks, `more than ${looksMax} looks`, looks > looksMax ? [String(looks)] : []);

  const roots = countBy(slack, ({ metadata }) => textOf(metadata?.event_payload['incident_id']));
  const deaths = outages.flatMap(({ did, target, at }) => (did === 'kill' && target === 'notifier' ? [at] : []));
  const doubles = { slack: doubledPosts(slack, events, deaths), mail: doubledMails(mails, events, deaths) };
  const withQuestion = incidents.filter(({ question }) => question);
  row('Slack messages', total(roots), 'incident without one', incidents.filter(({ id }) => !roots.has(id)).map(named));
  row(
    'Slack messages and replies',
    doubles.slack.count,
    'unexplained double',
    doubles.slack.unexplained,
    doubles.slack.explained.length,
  );
  row(
    'mails',
    mails.length,
    'question without one',
    withQuestion.filter(({ id }) => !mails.some(({ messageId }) => messageId?.includes(`${id}.question`))).map(named),
  );
  row(
    'mail deliveries',
    doubles.mail.count,
    'unexplained double',
    doubles.mail.unexplained,
    doubles.mail.explained.length,
  );
  explanations.push(...doubles.slack.explained, ...doubles.mail.explained);
  row(
    'dead letters',
    evidence.deadLetters.length,
    'given up on',
    evidence.deadLetters.map(({ consumer, reason }) => `${consumer}: ${reason}`),
  );
  return { rows, violations, explanations };
}

function named({ id, hostname, status }: Incident): string {
  return `${id} on ${hostname} (${status})`;
}

/** Neither waiting for a person nor over. */
function isStuck(incident: Incident, endedAt: number): boolean {
  const { status, question } = incident;
  if (status === 'contained') return isReleaseOverdue(incident, endedAt - OVERDUE_MS);
  if (status === 'asked') return Date.parse(question?.expiresAt ?? '') + OVERDUE_MS < endedAt;
  return !FINAL.has(status);
}

function personsIn(incidents: readonly Incident[]): number {
  return incidents.reduce((sum, { decision }) => sum + (decision?.votes ?? []).length, 0);
}

function ofType(events: StoredEvent[], type: 'approval.requested' | 'approval.decided'): Map<string, number> {
  return countBy(events, (event) =>
    event.type === type && 'incidentId' in event.data ? event.data.incidentId : undefined,
  );
}

function countBy<T>(list: readonly T[], keyOf: (entry: T) => string | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of list) {
    const key = keyOf(entry);
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function moreThanOne(counts: Map<string, number>): string[] {
  return [...counts].flatMap(([key, count]) => (count > 1 ? [`${key}, ${count} times`] : []));
}

function total(counts: Map<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
