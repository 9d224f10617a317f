import { accountName, type Person } from '@cordon/contracts';
import type { Policy } from './parse-policy.ts';

/** Who a Slack user is, and in which groups; nothing for somebody the policy does not name. */
export function slackPerson(
  policy: Policy,
  team: string,
  user: string,
  issuer: string,
): { person: Person; groups: string[] } | undefined {
  const found = policy.slack_users[`${team}/${user}`];
  if (!found) return undefined;
  const { groups, ...person } = found;
  return { person: { ...person, issuer: issuerName(found.issuer ?? issuer) }, groups };
}

/** One name for each identity provider: OpenID takes an address with and without a slash at its end for the same. */
export function issuerName(issuer: string): string {
  return issuer.replace(/\/$/, '');
}

/** The accounts on endpoints that are a person's: what policy lists, the account name, the e-mail address. */
export function accountsOf(policy: Policy, person: Person): string[] {
  const email = person.email?.toLowerCase();
  const listed = Object.entries(policy.accounts).find(([address]) => address.toLowerCase() === email)?.[1] ?? [];
  const known = [...listed, person.username ?? '', email ?? ''].map(accountName);
  return [...new Set(known)].filter((name) => name !== '');
}
