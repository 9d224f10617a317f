import type { Detection } from '@cordon/contracts';
import {
  describe,
  describeMoment,
  detailsOf,
  type Fact,
  type Finding,
  type Incident,
  type Moment,
  type Status,
} from '@cordon/incident';
import type { Channel } from './numbers.ts';
import { FIRST } from './record.ts';

/** The status that an event led to. */
const STATUS_AFTER: Record<string, Status> = {
  'approval.requested': 'asked',
  'approval.voted': 'asked',
  'approval.reminded': 'asked',
  'notification.overdue': 'asked',
  'isolation.requested': 'requested',
  'isolation.pending': 'pending',
  'isolation.unconfirmed': 'unconfirmed',
  'isolation.confirmed': 'contained',
  'isolation.failed': 'failed',
  'isolation.refused': 'refused',
  'isolation.held': 'held',
  'isolation.drifted': 'drifted',
  'isolation.simulated': 'simulated',
  'release.requested': 'releasing',
  'release.pending': 'release_pending',
  'release.unconfirmed': 'release_unconfirmed',
  'release.failed': 'release_failed',
  'release.simulated': 'contained',
  'release.confirmed': 'released',
};
/** The same where it depends on what the event said. */
const STATUS_NOTED: Record<string, Status> = {
  isolate: 'approved',
  leave: 'left',
  expired: 'expired',
  unanswered: 'asked',
};
/** Moments that leave the question open: what happened is their headline. */
const IN_BETWEEN = new Set([
  'approval.requested',
  'approval.voted',
  'approval.reminded',
  'approval.escalated',
  'notification.overdue',
]);

/** One moment in words: what the status became then, what happened, by whom and why. */
export type Told = {
  headline: string;
  sentence: string;
  what: string;
  by?: string | undefined;
  reason?: string | undefined;
};

/** What to say of a moment. The words are those of the incident as it stood then. */
export function tellMoment(incident: Incident, moment: Moment): Told {
  const { what } = describeMoment(moment);
  const { decision, release } = incident;
  const isDecision = moment.type === 'approval.decided' && moment.at === decision?.at;
  const isRelease = moment.type === 'release.requested' && moment.at === release?.at;
  const { headline, sentence } = describe(asOf(incident, moment));
  const reason = isDecision ? decision.reason : isRelease ? release.reason : undefined;
  if (!IN_BETWEEN.has(moment.type)) return { headline, sentence, what, by: moment.by, reason };
  return { headline: what, sentence, what, by: moment.by };
}

/** The incident as it stood at a moment, as far as that is still known: of an earlier decision or release only who it was. */
function asOf(incident: Incident, { type, at, by, note }: Moment): Incident {
  const { question, decision, release } = incident;
  const isDecision = type === 'approval.decided';
  const isNoted = isDecision || type === 'approval.escalated';
  const status = isNoted ? STATUS_NOTED[note ?? ''] : STATUS_AFTER[type];
  const person = by === undefined ? undefined : { issuer: '', subject: '', name: by };
  const { decision: _, ...rest } = incident;
  const decidedThen =
    isDecision && decision?.at !== at
      ? { eventId: '', at, outcome: 'isolate' as const, channel: 'page' as const, decidedBy: person }
      : decision;
  return {
    ...rest,
    status: status ?? incident.status,
    problem: !isNoted && note ? { code: '', explanation: note } : undefined,
    ...(question && { question: { ...question, votes: question.votes.filter((vote) => vote.at <= at) } }),
    ...(decidedThen && { decision: decidedThen }),
    ...(release && type === 'release.requested' && { release: { ...release, requestedBy: person } }),
  };
}

/**
 * Which Slack users a moment calls upon, and whether it cannot wait and the whole channel is to see it. Nobody any more
 * once the question was answered: Slack may have been away for hours.
 */
export function callOf({ status, question }: Incident, moment: Moment): { users: string[]; loud: boolean } {
  const { type, at, note, to } = moment;
  const isCurrent = question !== undefined && at >= question.askedAt;
  if (!isCurrent || status !== (note === 'expired' ? 'expired' : 'asked')) return { users: [], loud: false };
  const users = to?.slack ?? [];
  const isOverdue = type === 'notification.overdue' && users.length > 0;
  return { users, loud: type === 'approval.escalated' || isOverdue };
}

/** Something for the thread below an incident's message, with the time it happened. */
export type News = { occasion: string; at: string } & (
  | { kind: 'finding'; finding: Finding }
  | { kind: 'moment'; moment: Moment }
);

/**
 * Whether a moment is no news: the message itself says that the team was asked, that it comes late everybody sees, and
 * only the sensor's answer counts.
 */
function isUntold({ type, seq, note }: Moment, history: Moment[]): boolean {
  if (type === 'approval.requested') return !isAskedAgain(history, seq);
  return type === 'release.accepted' || (type === 'notification.overdue' && note === 'slack');
}

/** Whether a question is about what a guard held back, after a first one. */
export function isAskedAgain(history: Moment[], seq: number): boolean {
  return history.some((moment) => moment.type === 'isolation.held' && moment.seq < seq);
}

/** Everything that belongs into the thread so far, in the order in which it happened. */
export function newsOf(incident: Incident): News[] {
  const { findings, history } = incident;
  const news: News[] = [];
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
    else if (!isUntold(moment, history)) {
      news.push({ occasion: occasionOf(moment), at: moment.at, kind: 'moment', moment });
    }
  }
  return news;
}

/** The occasion by which each channel first told of the open question. */
export function occasionsOf({ history, question }: Incident): Record<Channel, string> {
  const asked = history.find(({ type, at }) => type === 'approval.requested' && at === question?.askedAt);
  return question && asked && isAskedAgain(history, asked.seq)
    ? { slack: occasionOf(asked), email: question.eventId }
    : { slack: FIRST, email: FIRST };
}

const occasionOf = ({ seq }: Moment): string => `moment:${seq}`;

const DETAILS = new Set(['Parent process', 'ATT&CK', 'Internal IP', 'Operating system', 'Detection ID']);

/** Of the details those that help before somebody has signed in; the rest is on the page. */
export function firstDetailsOf(detection: Detection): Fact[] {
  return detailsOf(detection).filter(({ label }) => DETAILS.has(label));
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
