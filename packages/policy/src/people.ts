import type { Person } from '@cordon/contracts';
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
  return { person: { ...person, issuer: found.issuer ?? issuer }, groups };
}

/** The accounts on endpoints that are a person's: what policy lists, the account name, the e-mail address. */
export function accountsOf(policy: Policy, person: Person & { username?: string | undefined }): string[] {
  const email = person.email?.toLowerCase();
  const listed = Object.entries(policy.accounts).find(([address]) => address.toLowerCase() === email)?.[1] ?? [];
  const known = [...listed, person.username ?? '', email ?? ''].map(accountName);
  return [...new Set(known)].filter((name) => name !== '');
}

/** Whether two accounts may be the same: `CORP\bob`, `bob@corp.example` and `bob`, without regard to case and domain. */
export function sameAccount(a: string, b: string): boolean {
  return accountName(a) !== '' && accountName(a) === accountName(b);
}

function accountName(account: string): string {
  const afterDomain = account.slice(account.lastIndexOf('\\') + 1);
  const at = afterDomain.indexOf('@');
  return (at === -1 ? afterDomain : afterDomain.slice(0, at)).trim().toLowerCase();
}
