import type { Detection } from '@cordon/contracts';
import { describe, describeMoment, type Finding, type Incident, type Moment, type Status } from '@cordon/incident';

/** The status that an event led to. */
const STATUS_AFTER: Record<string, Status> = {
  'isolation.requested': 'requested',
  'isolation.pending': 'pending',
  'isolation.unconfirmed': 'unconfirmed',
  'isolation.confirmed': 'contained',
  'isolation.failed': 'failed',
  'isolation.refused': 'refused',
  'isolation.simulated': 'simulated',
  'release.requested': 'releasing',
  'release.pending': 'release_pending',
  'release.unconfirmed': 'release_unconfirmed',
  'release.failed': 'release_failed',
  'release.simulated': 'contained',
  'release.confirmed': 'released',
};
const STATUS_DECIDED: Record<string, Status> = { isolate: 'approved', leave: 'left', expired: 'expired' };

/** One moment in words: what the status became then, what happened, by whom and why. */
export type Told = {
  headline: string;
  sentence: string;
  what: string;
  by?: string | undefined;
  reason?: string | undefined;
};

/** What to say of a moment that changed the status. The words are those of the incident as it stood then. */
export function tellMoment(incident: Incident, moment: Moment): Told {
  const { what } = describeMoment(moment);
  const { decision, release } = incident;
  const decided = moment.type === 'approval.decided';
  const status = decided ? STATUS_DECIDED[moment.note ?? ''] : STATUS_AFTER[moment.type];
  const then: Incident = {
    ...incident,
    status: status ?? incident.status,
    problem: !decided && moment.note ? { code: '', explanation: moment.note } : undefined,
    ...(release?.requestedBy &&
      moment.by && { release: { ...release, requestedBy: { ...release.requestedBy, name: moment.by } } }),
  };
  const { headline, sentence } = describe(then);
  const isThisRelease = moment.type === 'release.requested' && moment.at === release?.at;
  const reason = decided ? decision?.reason : isThisRelease ? release.reason : undefined;
  return { headline, sentence, what, by: moment.by, reason };
}

/** Something for the thread below an incident's message, with the time it happened. */
export type News = { occasion: string; at: string } & (
  | { kind: 'details'; detection: Detection }
  | { kind: 'finding'; finding: Finding }
  | { kind: 'moment'; moment: Moment }
);

/** Moments that are no news: the message itself says that the team was asked, and only the sensor's answer counts. */
const UNTOLD = new Set(['approval.requested', 'release.accepted']);

/** Everything that belongs into the thread so far, in the order in which it happened. */
export function newsOf(incident: Incident): News[] {
  const { detection, findings, history, openedAt } = incident;
  const news: News[] = [{ occasion: 'details', at: openedAt, kind: 'details', detection }];
  const addFinding = (finding: Finding | undefined): void => {
    if (!finding || finding === findings[0]) return;
    news.push({ occasion: `finding:${finding.fingerprint}`, at: finding.firstAt, kind: 'finding', finding });
  };

  // Each distinct finding left one `detection.raised` in the history, of which the oldest entries are not kept.
  const raised = history.filter(({ type }) => type === 'detection.raised').length;
  let next = findings.length - raised;
  findings.slice(0, Math.max(0, next)).forEach(addFinding);
  for (const moment of history) {
    if (moment.type === 'detection.raised') addFinding(findings[next++]);
    else if (!UNTOLD.has(moment.type)) {
      news.push({ occasion: `moment:${moment.seq}`, at: moment.at, kind: 'moment', moment });
    }
  }
  return news;
}

/** An incident's name among people: enough of the id to find it again. */
export function caseOf(incident: Pick<Incident, 'id'>): string {
  return incident.id.slice(0, 8);
}

/** Whether the question is still to be answered. */
export function isOpenQuestion(incident: Incident): boolean {
  return incident.status === 'new' || incident.status === 'asked';
}

/** What happens at the deadline. Expiry never isolates. */
export const AT_THE_DEADLINE = 'If nobody decides by then, the machine stays connected.';
/** Shown beside values that were cut. */
export const FULL_TEXT = 'The full text is on the page.';
