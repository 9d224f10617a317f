import type { Person, Terms } from '@cordon/contracts';
import { type Asking, type Incident, machineOf } from '@cordon/incident';
import { accountsOf, autoRuleFor, type Defaults, type Policy, slackPerson, termsFor } from '@cordon/policy';
import type { SlackUser } from './slack-interactions.ts';

/** A Slack user whom the policy names. */
export type SlackMember = { person: Person; groups: string[] };

/** The policy as this service needs it, always as it is in force now. */
export interface PolicyInForce {
  asking(incident: Incident, at: Date): Asking;
  /** For questions that were asked before there were terms. */
  fallback(): Terms;
  accountsOf(person: Person): string[];
  /** Who somebody on Slack is; nothing where the policy does not say. */
  slackMember(who: SlackUser): SlackMember | undefined;
  /** Every group whose members may decide something. */
  deciders(): ReadonlySet<string>;
}

/**
 * What is asked, according to the policy that `current` gives. `slackIssuer` is who identifies the people on Slack, and
 * absent where nobody listens to them.
 */
export function policyInForce(current: () => Policy, defaults: Defaults, slackIssuer?: string): PolicyInForce {
  return {
    asking(incident, at) {
      const asking = askingOf(current(), incident, defaults, at);
      // No button where nobody hears it.
      return {
        ...asking,
        terms: { ...asking.terms, slackDecides: slackIssuer !== undefined && asking.terms.slackDecides },
      };
    },
    fallback: () => termsFor(current(), { hostname: '', tags: [], platform: '' }, defaults, new Date()).terms,
    accountsOf: (person) => accountsOf(current(), person),
    slackMember: ({ team, user }) =>
      slackIssuer === undefined ? undefined : slackPerson(current(), team, user, slackIssuer),
    deciders: () => new Set([defaults.approverGroup, ...current().tiers.flatMap((tier) => tier.deciders ?? [])]),
  };
}

/** How the team is to be asked about an incident, or that a rule answers by itself. */
export function askingOf(policy: Policy, incident: Incident, defaults: Defaults, at: Date): Asking {
  const machine = machineOf(incident);
  const asking = termsFor(policy, machine, defaults, at);
  if (incident.status === 'held') {
    const votesNeeded = Math.max(asking.votesNeeded, policy.blast_radius.override_quorum);
    const why = `${incident.problem?.explanation ?? ''} ${votesNeeded} persons must agree to isolate this one all the same.`;
    return { ...asking, votesNeeded, why, override: 'blast_radius' };
  }
  const { severity_id: severityId, finding_info: info } = incident.detection;
  const rule = autoRuleFor(policy, machine, { rule: info.analytic?.name ?? info.title, severityId });
  return rule ? { ...asking, votesNeeded: 0, rule: rule.name } : asking;
}
