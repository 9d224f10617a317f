import { expect, test } from 'vitest';
import { accountName } from './account.ts';

test.each([
  ['CORP\\bob', 'bob'],
  ['WIN-SRV-07\\Bob', 'bob'],
  ['bob@corp.example', 'bob'],
  [' BOB ', 'bob'],
  ['bobby', 'bobby'],
  ['NT AUTHORITY\\SYSTEM', 'system'],
  ['', ''],
])('the account %j is called %j', (account, name) => {
  expect(accountName(account)).toBe(name);
});
