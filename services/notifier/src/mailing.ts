import type { StoredEvent } from '@cordon/contracts';
import { describeMoment, type Incident } from '@cordon/incident';
import { isAskedAgain, isOpenQuestion, occasionsOf } from './moments.ts';

/**
 * What a mail is: the question, something that happened since (in the question's thread), or a question again, apart from
 * that thread, for people who may never have got it.
 */
export type MailKind = 'question' | 'follow-up' | 'escalation' | 'overdue';
/** One event as a mail: to whom, and what it says above the incident as it stands. */
export type Mailing = { kind: MailKind; to: readonly string[]; notice?: string | undefined };

/** Mail is for what somebody who does not look at Slack has to know: a question, and how it ended. */
const OUTCOMES = new Set<StoredEvent['type']>([
  'isolation.pending',
  'isolation.confirmed',
  'isolation.unconfirmed',
  'isolation.failed',
  'isolation.refused',
  'isolation.drifted',
  'isolation.simulated',
  'release.pending',
  'release.confirmed',
  'release.unconfirmed',
  'release.failed',
  'release.simulated',
]);

const ASKING = new Set<StoredEvent['type']>(['approval.requested', 'approval.reminded', 'approval.escalated']);

/** Whether an event is ever mailed, known without a look at the log. */
export function isMailed(event: StoredEvent): boolean {
  if (event.type === 'approval.decided') return event.data.outcome !== 'isolate';
  if (event.type === 'notification.overdue') return event.data.channel !== 'email';
  return ASKING.has(event.type) || OUTCOMES.has(event.type);
}

/**
 * The mail that an event calls for, or nothing where there is none to write any more. `everybody` are those who hear of
 * everything. A held isolation is told by the question that follows it.
 */
export function mailingFor(event: StoredEvent, incident: Incident, everybody: readonly string[]): Mailing | undefined {
  const moment = incident.history.find(({ seq }) => seq === event.seq);
  const named = moment?.to?.mail ?? [];
  const notice = moment && describeMoment(moment).what;
  if (event.type === 'approval.requested') {
    return { kind: isAskedAgain(incident.history, event.seq) ? 'follow-up' : 'question', to: everybody };
  }
  // That nobody decided in time, everybody heard by the mail about just that.
  if (event.type === 'approval.escalated' && event.data.because === 'expired') {
    return { kind: 'escalation', to: named, notice };
  }
  if (!ASKING.has(event.type) && event.type !== 'notification.overdue') return { kind: 'follow-up', to: everybody };
  if (!isOpenQuestion(incident)) return undefined;
  if (event.type === 'approval.reminded') return { kind: 'follow-up', to: everybody, notice };
  const to = named.length > 0 ? named : everybody;
  if (event.type === 'approval.escalated') return { kind: 'escalation', to, notice };
  // Who got the question by mail has it: in a storm that Slack is too slow for, nobody gets everything twice.
  return { kind: 'overdue', to: to.filter((address) => !hasQuestion(incident, address)), notice };
}

function hasQuestion(incident: Incident, address: string): boolean {
  const { email } = occasionsOf(incident);
  return incident.sent.some(
    ({ channel, occasion, target }) => channel === 'email' && occasion === email && target === address,
  );
}
