import { tierOf, type Machine } from './match.ts';
import type { Policy } from './parse-policy.ts';
import { type AutoRule, isGraveEnough } from './schema.ts';

/** The rule of the policy that isolates this machine without asking, if one does. The executor's guards still count. */
export function autoRuleFor(
  policy: Policy,
  machine: Machine,
  { rule, severityId }: { rule: string; severityId: number },
): AutoRule | undefined {
  const { name } = tierOf(policy, machine);
  return policy.auto_isolate.find(
    (candidate) =>
      candidate.rules.includes(rule) && candidate.tiers.includes(name) && isGraveEnough(candidate, severityId),
  );
}
