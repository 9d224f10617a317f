import type { Terms } from '@cordon/contracts';
import { matchOf, type Machine } from './match.ts';
import type { Policy } from './parse-policy.ts';
import type { Tier } from './schema.ts';

/** What the settings say where policy is silent. */
export type Defaults = { approverGroup: string; expiryMs: number; quietMs: number; mail: readonly string[] };

/** How a question about this machine is to be asked at this time. */
export function termsFor(
  policy: Policy,
  machine: Machine,
  defaults: Defaults,
  at: Date,
): { votesNeeded: number; expiresAt: string; why: string; terms: Terms } {
  const { tier, because } = matchOf(policy, machine);
  const { expiryMs, remindMs, escalate, ...rest } = settledTier(tier, defaults);
  const after = (ms: number): string => new Date(at.getTime() + ms).toISOString();
  return {
    votesNeeded: tier.quorum,
    expiresAt: after(expiryMs),
    why: `Tier ${tier.name}${because === undefined ? '' : ` (${because})`}: ${persons(tier.quorum)} must agree.`,
    terms: {
      policyVersion: policy.version,
      tier: tier.name,
      ...rest,
      remindAt: remindMs.map(after),
      escalate: escalate.map(({ afterMs, ...to }) => ({ at: after(afterMs), ...to })),
    },
  };
}

/** A tier with the settings filled in where it is silent. What would come after the deadline never comes. */
export function settledTier(tier: Tier, defaults: Defaults) {
  const expiryMs = tier.expires ?? defaults.expiryMs;
  return {
    deciders: tier.deciders ?? [defaults.approverGroup],
    expiryMs,
    remindMs: (tier.remind ?? []).filter((ms) => ms < expiryMs).toSorted((a, b) => a - b),
    escalate: (tier.escalate ?? [])
      .filter(({ after }) => after < expiryMs)
      .toSorted((a, b) => a.after - b.after)
      .map(({ after, mail = [], slack = [] }) => ({ afterMs: after, mail, slack })),
    contacts: { mail: tier.contacts?.mail ?? [...defaults.mail], slack: tier.contacts?.slack ?? [] },
    slackDecides: tier.slack === 'buttons',
    passkey: tier.passkey,
    ...(tier.release_after !== undefined && { releaseAfterMs: tier.release_after }),
    quietMs: tier.ask_again_after ?? defaults.quietMs,
    decisionValidMs: tier.decision_valid,
  };
}

const NUMBERS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

/** `one person`, `two persons`. */
export function persons(count: number): string {
  return `${NUMBERS[count] ?? count} person${count === 1 ? '' : 's'}`;
}
