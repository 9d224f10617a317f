import { accountName, type Person } from '@cordon/contracts';
import type { Incident } from './state.ts';

/** Identity is issuer and subject, and nothing else. */
export function isSamePerson(a: Person | undefined, b: Person): boolean {
  return a?.issuer === b.issuer && a.subject === b.subject;
}

/** Whether one of these accounts was at work on the endpoint, as far as the findings tell. */
export function isLoggedOn({ detection, findings }: Incident, accounts: readonly string[]): boolean {
  const users = [detection.evidences[0]?.process?.user?.name, ...findings.map((finding) => finding.user)];
  const on = new Set(users.map((user) => accountName(user ?? '')));
  return accounts.some((account) => account !== '' && on.has(accountName(account)));
}
