export { autoRuleFor } from './auto-rule.ts';
export { explain } from './explain.ts';
export { PolicyError } from './faults.ts';
export { loadPolicy, watchPolicy, type WatchedPolicy } from './load-policy.ts';
export { type Machine, protectedBy, protectedHosts, tierOf } from './match.ts';
export { parsePolicy, type Policy } from './parse-policy.ts';
export { accountsOf, sameAccount, slackPerson } from './people.ts';
export type { AutoRule, Tier } from './schema.ts';
export { type Defaults, type Terms, termsFor } from './terms.ts';
