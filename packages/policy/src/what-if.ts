import { autoRuleFor } from './auto-rule.ts';
import { type Place, tripOf } from './blast-radius.ts';
import { durationText } from './duration.ts';
import { type Machine, protectedBy, tierOf } from './match.ts';
import type { Policy } from './parse-policy.ts';
import type { AutoRule } from './schema.ts';
import { type Defaults, settledTier } from './terms.ts';

/** A question of the past and how it ended. */
export type PastDecision = {
  incidentId: string;
  endpointId: string;
  machine: Machine;
  /** The detection rule and OCSF's severity. */
  detected: { rule: string; severityId: number };
  askedAt: string;
  expiresAt: string;
  /** The groups that could decide. Not recorded before version 0.2. */
  deciders?: readonly string[] | undefined;
  /** Whether it was asked because of the blast radius. */
  isOverride: boolean;
  outcome: 'isolate' | 'leave' | 'expired';
  decidedAt: string;
  /** The rule of the policy that decided. */
  rule?: string | undefined;
  /** Every yes, or the no. */
  answers: readonly { name: string; channel: 'page' | 'slack'; hasPasskey: boolean }[];
  /** What became of a decision to isolate. */
  result?: 'isolated' | 'held' | 'protected' | 'refused' | undefined;
};

/** A decision that another policy changes: in which tier, and how. */
export type Difference = { past: PastDecision; tier: string; how: string[] };

type World = { defaults: Defaults; fleet: number | undefined };

/**
 * Which decisions of the past would differ under this policy. What people would have done instead is not guessed: a
 * question that needs more votes is said to need them. Earlier isolations count towards the blast radius as they would have
 * happened.
 */
export function whatIf(policy: Policy, history: readonly PastDecision[], world: World): Difference[] {
  const inOrder = history
    .map((past) => {
      const rule = past.isOverride ? undefined : autoRuleFor(policy, past.machine, past.detected);
      return { past, rule, at: Date.parse(rule ? past.askedAt : past.decidedAt) };
    })
    .toSorted((a, b) => a.at - b.at);
  let places: Place[] = [];
  const differences: Difference[] = [];
  for (const { past, rule, at } of inOrder) {
    places = places.filter((place) => place.at > at - policy.blast_radius.within);
    const { how, isIsolated } = replay(policy, past, rule, { ...world, places, at });
    if (isIsolated) places.push({ endpointId: past.endpointId, at });
    if (how.length > 0) differences.push({ past, tier: tierOf(policy, past.machine).name, how });
  }
  return differences;
}

type Moment = World & { places: readonly Place[]; at: number };
type Replayed = { how: string[]; isIsolated: boolean };

function replay(policy: Policy, past: PastDecision, rule: AutoRule | undefined, moment: Moment): Replayed {
  const { machine, endpointId, result } = past;
  const changes = rule ? ruleChange(past, rule.name) : answersChange(policy, past, moment.defaults);
  const how = changes.map(({ says }) => says);
  const isDecided = rule !== undefined || (past.outcome === 'isolate' && !changes.some(({ undoes }) => undoes));
  // The other guards do not depend on the policy, and failures are not guessed.
  if (!isDecided || (result === 'refused' && rule?.name === past.rule)) return { how, isIsolated: false };

  const protection = protectedBy(policy, machine);
  if (protection !== undefined) {
    return { how: result === 'protected' ? how : [...how, `never isolated: ${protection}`], isIsolated: false };
  }
  if (result === 'protected') how.push('no longer protected');
  const { places, at: now, fleet } = moment;
  const trip = past.isOverride ? undefined : tripOf(policy.blast_radius, places, { endpointId, fleet, now });
  if (trip !== undefined) return { how: result === 'held' ? how : [...how, `held back: ${trip}`], isIsolated: false };
  return { how: result === 'held' ? [...how, 'not held back'] : how, isIsolated: true };
}

/** `undoes`: a decision to isolate would not have come about so. */
type Change = { says: string; undoes: boolean };

function ruleChange(past: PastDecision, rule: string): Change[] {
  if (past.rule === rule) return [];
  return [{ says: `decided at once by the rule “${rule}”, nobody asked`, undoes: false }];
}

function answersChange(policy: Policy, past: PastDecision, defaults: Defaults): Change[] {
  if (past.rule !== undefined) return [{ says: 'people are asked: no rule isolates it', undoes: true }];
  const tier = tierOf(policy, past.machine);
  const { expiryMs, slackDecides, passkey, deciders } = settledTier(tier, defaults);
  const changes: Change[] = [];

  const deadline = new Date(Date.parse(past.askedAt) + expiryMs).toISOString();
  if (past.outcome === 'expired' && deadline > past.expiresAt) {
    changes.push({ says: `open until ${deadline}`, undoes: false });
  }
  if (past.outcome !== 'expired' && past.decidedAt >= deadline) {
    changes.push({ says: `expired after ${durationText(expiryMs)}, before the last answer`, undoes: true });
  }

  const inSlack = past.answers.filter(({ channel }) => channel === 'slack' && !slackDecides);
  for (const { name } of inSlack)
    changes.push({ says: `the answer of ${name} in Slack does not count`, undoes: false });
  const counted = past.answers.filter((answer) => !inSlack.includes(answer));
  if (past.outcome === 'isolate') {
    const signed = counted.filter(({ hasPasskey }) => hasPasskey || !passkey);
    if (signed.length < counted.length) changes.push({ says: 'each yes must be signed by a passkey', undoes: false });
    const needed = Math.max(tier.quorum, past.isOverride ? policy.blast_radius.override_quorum : 1);
    if (signed.length < needed) changes.push({ says: `${signed.length} of ${needed} votes`, undoes: true });
  }

  const before = past.deciders;
  if (past.outcome !== 'expired' && before && !sameNames(before, deciders)) {
    const says = `decided by ${deciders.join(', ')} instead of ${before.join(', ')} (who was in which group is not recorded)`;
    changes.push({ says, undoes: false });
  }
  return changes;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return new Set(a).symmetricDifference(new Set(b)).size === 0;
}
