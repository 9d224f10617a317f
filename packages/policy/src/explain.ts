import { durationText } from './duration.ts';
import { matchOf, type Machine, protectedBy } from './match.ts';
import type { Policy } from './parse-policy.ts';
import { type Defaults, persons, settledTier } from './terms.ts';

/** What would happen for a machine, for programs, and as `lines` of a name and a sentence for people. */
export function explain(policy: Policy, machine: Machine, defaults: Defaults) {
  const { tier, because } = matchOf(policy, machine);
  const settled = settledTier(tier, defaults);
  const protection = protectedBy(policy, machine);
  const autoRules = policy.auto_isolate.filter(({ tiers }) => tiers.includes(tier.name));
  const { isolations, within, fleet_percent, override_quorum } = policy.blast_radius;
  const { deciders, expiryMs, remindMs, escalate, contacts, releaseAfterMs, quietMs, decisionValidMs } = settled;

  const lines: [name: string, sentence: string][] = [
    ['host', machine.hostname],
    ['tags', machine.tags.join(', ') || 'none'],
    ['platform', machine.platform],
    ['tier', `${tier.name}: ${because ?? 'no tier before it matches'}`],
    ['protected', protection === undefined ? 'no' : `yes, never isolated whoever decides: ${protection}`],
    ['who decides', `members of ${deciders.join(', ')}, but nobody who is logged on to the machine`],
    ['votes', `${persons(tier.quorum)} must say yes${tier.passkey ? ', signed by a passkey' : ''}; one no ends it`],
    ['in Slack', settled.slackDecides ? 'buttons: people may decide there' : 'a link to the page, where people decide'],
    ['expires', `after ${durationText(expiryMs)}, without isolating`],
    ['reminders', remindMs.map((ms) => `after ${durationText(ms)}`).join(', ') || 'none'],
    ...escalate.map(({ afterMs, ...to }): [string, string] => [
      'escalation',
      `after ${durationText(afterMs)} without an answer, and when it expires, to ${targets(to) || 'everybody who is told anyway'}`,
    ]),
    ['fallback', targets(contacts) || 'none: neither contacts nor EMAIL_TO names anybody'],
    ['carried out', `within ${durationText(decisionValidMs)} of the decision, or not at all`],
    ['released', releaseAfterMs === undefined ? 'by a person' : `by itself after ${durationText(releaseAfterMs)}`],
    ['asked again', `about the same finding after ${durationText(quietMs)}, about another one at once`],
    ...autoRules.map(({ name, rules, severity }): [string, string] => [
      'not asked',
      `${name}: ${rules.join(', ')} with severity ${severity} or above isolates at once`,
    ]),
    [
      'blast radius',
      `more than ${isolations} isolations within ${durationText(within)}, or of ${fleet_percent} % of the fleet, wait for ${persons(override_quorum)}`,
    ],
    ['policy', policy.version],
  ];
  return {
    policyVersion: policy.version,
    machine,
    tier: tier.name,
    because,
    votesNeeded: tier.quorum,
    ...settled,
    protectedBy: protection,
    autoRules,
    blastRadius: policy.blast_radius,
    lines,
  };
}

function targets({ mail, slack }: { mail: readonly string[]; slack: readonly string[] }): string {
  return [...mail, ...slack.map((id) => `Slack ${id}`)].join(', ');
}
