import {
  ApprovalDecided,
  ApprovalRequested,
  type CordonEvent,
  eventId,
  type Person,
  ReleaseRequested,
} from '@cordon/contracts';
import { factsDigest } from './finding.ts';
import { type EndpointState, type Incident, isClosed, type Status } from './state.ts';

/** How the team wants to be asked. */
export type Policy = {
  /** How long a question stays open. */
  expiryMs: number;
  /** How long the same finding on the same endpoint is not asked about again after a decision. */
  quietMs: number;
};

/** A command's answer: what to append, or why nothing is. A refusal is a value, not an exception. */
export type Decision = { events: CordonEvent[] } | { refused: Refusal };
export type Refusal =
  | { because: 'unknown_incident' }
  | { because: 'already_decided'; incident: Incident }
  | { because: 'facts_changed'; incident: Incident }
  | { because: 'expired'; incident: Incident }
  | { because: 'not_releasable'; incident: Incident };

const SOURCE = '/cordon/approval';
const nothing: Decision = { events: [] };

/** Asks about a new incident. Nothing to do where it was asked already. */
export function ask(state: EndpointState, policy: Policy, now: Date): Decision {
  const { incident } = state;
  if (incident?.status !== 'new') return nothing;
  return {
    events: [
      ApprovalRequested.create({
        id: eventId('approval.requested', incident.id),
        source: SOURCE,
        at: now,
        endpoint: incident,
        data: {
          incidentId: incident.id,
          expiresAt: new Date(now.getTime() + policy.expiryMs).toISOString(),
          votesNeeded: 1,
          why: 'Cutting a machine off is always decided by a person.',
        },
      }),
    ],
  };
}

export type DecideCommand = {
  incidentId: string;
  outcome: 'isolate' | 'leave';
  person: Person;
  reason: string;
  /** Digest of the facts the person saw. */
  factsDigest: string;
};

/** A person's answer. Exactly one is ever accepted; who comes second is told who won. */
export function decide(state: EndpointState, command: DecideCommand, policy: Policy, now: Date): Decision {
  const { incident } = state;
  if (incident?.id !== command.incidentId) return { refused: { because: 'unknown_incident' } };
  if (incident.decision) return { refused: { because: 'already_decided', incident } };
  if (!incident.question || now.toISOString() >= incident.question.expiresAt) {
    return { refused: { because: 'expired', incident } };
  }
  if (command.factsDigest !== factsDigest(incident)) return { refused: { because: 'facts_changed', incident } };
  return {
    events: [
      decided(incident, policy, now, {
        outcome: command.outcome,
        decidedBy: command.person,
        channel: 'page',
        reason: command.reason,
        factsDigest: command.factsDigest,
      }),
    ],
  };
}

/** The deadline came. It never isolates, and does nothing where somebody was faster. */
export function expire(state: EndpointState, incidentId: string, policy: Policy, now: Date): Decision {
  const { incident } = state;
  if (incident?.id !== incidentId || incident.status !== 'asked') return nothing;
  if (incident.question && now.toISOString() < incident.question.expiresAt) return nothing;
  return { events: [decided(incident, policy, now, { outcome: 'expired', channel: 'timer' })] };
}

type Answer = Omit<ApprovalDecided['data'], 'incidentId' | 'quietUntil'>;

function decided(incident: Incident, policy: Policy, now: Date, answer: Answer): CordonEvent {
  return ApprovalDecided.create({
    // Who and what are part of the id: a rival's answer must meet the expected sequence, not pass as a repetition of ours.
    id: eventId(
      'approval.decided',
      incident.id,
      answer.outcome,
      answer.decidedBy?.issuer ?? '',
      answer.decidedBy?.subject ?? '',
    ),
    source: SOURCE,
    at: now,
    endpoint: incident,
    data: { incidentId: incident.id, quietUntil: new Date(now.getTime() + policy.quietMs).toISOString(), ...answer },
  });
}

const RELEASABLE: ReadonlySet<Status> = new Set<Status>([
  'requested',
  'pending',
  'unconfirmed',
  'contained',
  'release_failed',
]);

/** A release can be asked for from the moment the EDR holds the wish to isolate. */
export function canRelease(incident: Incident): boolean {
  return RELEASABLE.has(incident.status);
}

export type ReleaseCommand = { incidentId: string; person: Person; reason: string };

/** A person asks for the way back. */
export function requestRelease(state: EndpointState, command: ReleaseCommand, now: Date): Decision {
  const { incident } = state;
  if (incident?.id !== command.incidentId) return { refused: { because: 'unknown_incident' } };
  if (!canRelease(incident) || isClosed(incident)) return { refused: { because: 'not_releasable', incident } };
  return {
    events: [
      ReleaseRequested.create({
        id: eventId(
          'release.requested',
          incident.id,
          String(incident.lastSeq),
          command.person.issuer,
          command.person.subject,
        ),
        source: SOURCE,
        at: now,
        endpoint: incident,
        data: { incidentId: incident.id, requestedBy: command.person, channel: 'page', reason: command.reason },
      }),
    ],
  };
}
