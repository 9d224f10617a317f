import type { KeyObject } from 'node:crypto';
import { forgeryOf, type StoredEvent } from '@cordon/contracts';
import { type Incident, isGenuineVote, isSamePerson, machineOf } from '@cordon/incident';
import { autoRuleFor, type Policy, tierOf } from '@cordon/policy';

export type Objection = { code: string; explanation: string };
export type Authority = {
  /** Whose signature is believed. */
  keys: readonly KeyObject[];
  policy: Policy;
  /** The organisation that this executor acts in. */
  tenantId: string;
  /** Milliseconds after which nothing is carried out any more, whatever was signed. */
  maxAgeMs: number;
};

type Decided = StoredEvent & { type: 'approval.decided' };
type ReleaseAsked = StoredEvent & { type: 'release.requested' };

/** A clock may be off by this. */
const SKEW_MS = 60_000;

/**
 * Why a decision to isolate must not be carried out, whoever put it on the bus. It must be signed by approval, fresh, about
 * the very machine of the detection, and have as many different persons behind it as were asked for.
 */
export function objectionToIsolation(event: Decided, incident: Incident, authority: Authority, now: Date) {
  return objectionTo(event, incident, authority, now) ?? objectionToDeciders(event.data, incident, authority);
}

/**
 * Why an event that nobody waits for was not put there by approval; nothing where it is one that was carried out, and is
 * only delivered again.
 */
export function intrusionOf(
  event: Decided | ReleaseAsked,
  incident: Incident | undefined,
  { keys }: Authority,
): string | undefined {
  const forgery = forgeryOf(event, keys);
  if (forgery !== undefined) return forgery;
  const standing = event.type === 'approval.decided' ? incident?.decision : incident?.release;
  const isInPlace = incident?.history.some(({ type, seq }) => type === event.type && seq === event.seq);
  if (standing?.eventId !== event.id || isInPlace) return undefined;
  return 'This was decided once and carried out, and came again at another place. Find out who can write to the broker.';
}

/** Why a release must not be carried out. */
export function objectionToRelease(event: ReleaseAsked, incident: Incident, authority: Authority, now: Date) {
  return objectionTo(event, incident, authority, now);
}

function objectionTo(
  event: Decided | ReleaseAsked,
  incident: Incident,
  { keys, tenantId, maxAgeMs }: Authority,
  now: Date,
): Objection | undefined {
  const forgery = forgeryOf(event, keys);
  if (forgery !== undefined) return { code: 'not_authentic', explanation: forgery };
  const { device, metadata } = incident.detection;
  if (event.tenantId !== tenantId || metadata.tenant_uid !== tenantId || device.uid !== event.endpointId) {
    return {
      code: 'wrong_target',
      explanation: 'The decision is about another machine or organisation than the detection.',
    };
  }
  const ageMs = now.getTime() - Date.parse(event.time);
  const { validUntil } = event.data;
  const isOver = validUntil === undefined || now.toISOString() > validUntil;
  if (ageMs > maxAgeMs || isOver) {
    const minutes = Math.round(ageMs / 60_000);
    return {
      code: 'stale_decision',
      explanation: `The decision was ${minutes} minutes old before it could be carried out, which is too old to act on. Nothing was changed on ${incident.hostname}.`,
    };
  }
  if (ageMs < -SKEW_MS) {
    return { code: 'from_the_future', explanation: 'The decision carries a time that is still to come.' };
  }
  return undefined;
}

function objectionToDeciders(
  decision: Decided['data'],
  incident: Incident,
  { keys, policy }: Pick<Authority, 'keys' | 'policy'>,
): Objection | undefined {
  const { votesNeeded, rule, policyVersion, override } = decision;
  const machine = machineOf(incident);
  if (incident.question?.override !== override) {
    return {
      code: 'earlier_question',
      explanation: `The decision answers an earlier question. Meanwhile more persons have to agree to isolate ${incident.hostname}.`,
    };
  }
  if (rule !== undefined) {
    const { severity_id: severityId, finding_info: info } = incident.detection;
    const own = autoRuleFor(policy, machine, { rule: info.analytic?.name ?? info.title, severityId });
    if (own?.name === rule) return undefined;
    return {
      code: 'rule_not_allowed',
      explanation: `The rule “${rule}” decided, and the policy of this executor has no such rule for ${incident.hostname}.`,
    };
  }
  // The same policy here as there: then what was needed is known here as well.
  const known = policyVersion === policy.version ? tierOf(policy, machine).quorum : 1;
  const needed = Math.max(1, votesNeeded ?? 1, known, override ? policy.blast_radius.override_quorum : 1);
  const persons = personsBehind(decision, incident, keys);
  if (persons >= needed) return undefined;
  return {
    code: 'quorum',
    explanation: `${needed} different persons have to agree to isolate ${incident.hostname}, and the decision has the votes of ${persons}.`,
  };
}

/**
 * How many persons agreed. The vote that ended the question is signed with the decision, and each before it by itself,
 * for this question: approval's word that it counted them is not enough.
 */
function personsBehind(
  { votes = [], decidedBy }: Decided['data'],
  incident: Incident,
  keys: readonly KeyObject[],
): number {
  const { question } = incident;
  const counted = votes.filter(
    (vote) => isSamePerson(decidedBy, vote.person) || (question && isGenuineVote(incident, question, vote, keys)),
  );
  return new Set(counted.map(({ person }) => JSON.stringify([person.issuer, person.subject]))).size;
}
