import {
  ApprovalDecided,
  ApprovalRequested,
  type CordonEvent,
  eventId,
  type Person,
  ReleaseRequested,
  type Terms,
  type Vote,
} from '@cordon/contracts';
import { factsDigest } from './finding.ts';
import { SOURCE, votedEvent } from './genuine.ts';
import { isLoggedOn, isSamePerson } from './person.ts';
import { type EndpointState, type Incident, type Question, RELEASABLE } from './state.ts';

/** How policy wants a question to be asked, now. */
export type Asking = Omit<ApprovalRequested['data'], 'incidentId'> & { terms: Terms };

/** A command's answer: what to append, or why nothing is. A refusal is a value, not an exception. */
export type Decision = { events: CordonEvent[] } | { refused: Refusal };
export type Refusal =
  | { because: 'unknown_incident' }
  | {
      because:
        | 'already_decided'
        | 'already_voted'
        | 'facts_changed'
        | 'expired'
        | 'not_in_group'
        | 'logged_on'
        | 'channel'
        | 'passkey'
        | 'not_authentic'
        | 'not_releasable';
      incident: Incident;
    };

export const nothing: Decision = { events: [] };

/**
 * Asks about a new incident, or again about one that a guard holds. Nothing to do where it was asked already. Where a
 * rule of the policy answers by itself, its decision follows at once.
 */
export function ask(state: EndpointState, asking: (incident: Incident) => Asking, now: Date): Decision {
  const { incident } = state;
  if (incident?.status === 'asked' && incident.question?.rule) {
    return { events: [decidedByRule(incident, incident.question, now)] };
  }
  if (incident?.status !== 'new' && incident?.status !== 'held') return nothing;
  const question = asking(incident);
  const requested = ApprovalRequested.create({
    id: eventId('approval.requested', incident.id, ...(incident.decision ? [incident.decision.eventId] : [])),
    source: SOURCE,
    at: now,
    endpoint: incident,
    data: { incidentId: incident.id, ...question },
  });
  if (!question.rule) return { events: [requested] };
  return { events: [requested, decidedByRule(incident, { ...question, eventId: requested.id }, now)] };
}

type Asked = Pick<Question, 'eventId' | 'rule' | 'terms' | 'override'>;

function decidedByRule(incident: Incident, question: Asked, now: Date): CordonEvent {
  const { rule = '' } = question;
  return decided(incident, question, question.terms, now, {
    outcome: 'isolate',
    channel: 'policy',
    reason: `The policy's rule “${rule}” isolates without asking.`,
    rule,
    factsDigest: factsDigest(incident),
    votes: [],
    votesNeeded: 0,
  });
}

export type DecideCommand = {
  incidentId: string;
  outcome: 'isolate' | 'leave';
  person: Person;
  /** The groups the person is in. */
  groups: readonly string[];
  /** The account names the person has on endpoints. */
  accounts: readonly string[];
  channel: Vote['channel'];
  reason: string;
  /** Digest of the facts the person saw. */
  factsDigest: string;
  authenticatedAt?: string;
  /** A passkey's signature over the facts, checked already. */
  passkey?: Vote['passkey'];
};

/** Why this person may not decide about this incident, if there is a reason. */
export function objectionTo(
  incident: Incident,
  { groups, accounts }: Pick<DecideCommand, 'groups' | 'accounts'>,
  terms: Terms,
): 'not_in_group' | 'logged_on' | undefined {
  if (!groups.some((group) => terms.deciders.includes(group))) return 'not_in_group';
  return isLoggedOn(incident, accounts) ? 'logged_on' : undefined;
}

/** Whether this person said yes to the open question. */
export function hasVoted({ question }: Incident, person: Person): boolean {
  return (question?.votes ?? []).some((vote) => isSamePerson(vote.person, person));
}

/**
 * A person's answer. A no ends the question; a yes counts, once per person, and ends it when enough persons said yes.
 * Exactly one decision is ever accepted; who comes second is told who won. `fallback` stands in for the terms of a
 * question that was asked by version 0.1.
 */
export function decide(state: EndpointState, command: DecideCommand, fallback: Terms, now: Date): Decision {
  const { incident } = state;
  if (incident?.id !== command.incidentId) return { refused: { because: 'unknown_incident' } };
  const refusal = (because: Exclude<Refusal['because'], 'unknown_incident'>): Decision => ({
    refused: { because, incident },
  });
  const { question } = incident;
  if (incident.decision) return refusal('already_decided');
  if (!question || now.toISOString() >= question.expiresAt) return refusal('expired');

  const terms = question.terms ?? fallback;
  const { person, channel, reason, outcome } = command;
  const objection = objectionTo(incident, command, terms);
  if (objection) return refusal(objection);
  if (channel === 'slack' && !terms.slackDecides) return refusal('channel');
  if (command.factsDigest !== factsDigest(incident)) return refusal('facts_changed');
  if (outcome === 'leave') {
    const answer = { outcome, decidedBy: person, channel, reason, factsDigest: command.factsDigest };
    return { events: [decided(incident, question, terms, now, { ...answer, votes: question.votes })] };
  }

  if (question.isForeign) return refusal('not_authentic');
  if (hasVoted(incident, person)) return refusal('already_voted');
  if (terms.passkey && command.passkey === undefined) return refusal('passkey');
  const vote: Vote = {
    person,
    channel,
    at: now.toISOString(),
    reason,
    factsDigest: command.factsDigest,
    authenticatedAt: command.authenticatedAt,
    passkey: command.passkey,
  };
  const votes = [...question.votes, vote];
  if (votes.length < question.votesNeeded) return { events: [votedEvent(incident, question, vote)] };
  const answer = { outcome, decidedBy: person, channel, reason, factsDigest: command.factsDigest };
  return {
    events: [decided(incident, question, terms, now, { ...answer, votes, votesNeeded: question.votesNeeded })],
  };
}

type Answer = Omit<ApprovalDecided['data'], 'incidentId' | 'quietUntil' | 'policyVersion' | 'validUntil'>;

/** The event that ends a question. */
export function decided(
  incident: Incident,
  { eventId: asked, override }: Asked,
  terms: Terms | undefined,
  now: Date,
  answer: Answer,
): CordonEvent {
  const after = (ms: number): string => new Date(now.getTime() + ms).toISOString();
  return ApprovalDecided.create({
    // Who and what are part of the id: a rival's answer must meet the expected sequence, not pass as a repetition of ours.
    id: eventId(
      'approval.decided',
      asked,
      answer.outcome,
      answer.decidedBy?.issuer ?? '',
      answer.decidedBy?.subject ?? '',
    ),
    source: SOURCE,
    at: now,
    endpoint: incident,
    data: {
      incidentId: incident.id,
      quietUntil: after(terms?.quietMs ?? 0),
      ...answer,
      ...(override && { override }),
      ...(terms && { policyVersion: terms.policyVersion, validUntil: after(terms.decisionValidMs) }),
    },
  });
}

/** Whether the way back can be asked for. */
export function canRelease(incident: Incident): boolean {
  return RELEASABLE.includes(incident.status);
}

export type ReleaseCommand = { incidentId: string; policyVersion: string; validMs: number } & (
  | { channel: 'page'; person: Person; reason: string }
  | { channel: 'timer' }
);

/** The way back, asked for by a person or by the policy when its time came. */
export function requestRelease(state: EndpointState, command: ReleaseCommand, now: Date): Decision {
  const { incident } = state;
  if (incident?.id !== command.incidentId) return { refused: { because: 'unknown_incident' } };
  if (!canRelease(incident)) return { refused: { because: 'not_releasable', incident } };
  const { channel, policyVersion, validMs } = command;
  const person = channel === 'page' ? command.person : undefined;
  return {
    events: [
      ReleaseRequested.create({
        id: eventId(
          'release.requested',
          incident.id,
          String(incident.lastSeq),
          person?.issuer ?? '',
          person?.subject ?? '',
        ),
        source: SOURCE,
        at: now,
        endpoint: incident,
        data: {
          incidentId: incident.id,
          channel,
          ...(channel === 'page' && { requestedBy: command.person, reason: command.reason }),
          policyVersion,
          validUntil: new Date(now.getTime() + validMs).toISOString(),
        },
      }),
    ],
  };
}
