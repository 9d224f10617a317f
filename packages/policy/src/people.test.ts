import { expect, test } from 'vitest';
import { aPolicy } from './builders.ts';
import { accountsOf, slackPerson } from './people.ts';

const bob = { issuer: 'https://id.example.com', subject: '7', name: 'Bob' };

test('a Slack user is a person only where the policy says so', () => {
  const policy = aPolicy({
    slack_users: {
      'T01/U01': { subject: '7', name: 'Bob', email: 'bob@example.com', groups: ['soc'] },
      'T01/U02': { subject: '8', issuer: 'https://other.example', name: 'Eve', groups: ['guests'] },
    },
  });
  expect(slackPerson(policy, 'T01', 'U01', bob.issuer)).toEqual({
    person: { ...bob, email: 'bob@example.com' },
    groups: ['soc'],
  });
  expect(slackPerson(policy, 'T01', 'U02', bob.issuer)?.person.issuer).toBe('https://other.example');
  expect(slackPerson(policy, 'T01', 'U01', `${bob.issuer}/`)?.person.issuer).toBe(bob.issuer);
  expect(slackPerson(policy, 'T02', 'U01', bob.issuer)).toBeUndefined();
});

test('the accounts of a person are the listed ones, the account name and the address', () => {
  const policy = aPolicy({ accounts: { 'Bob@example.com': ['CORP\\adm-bob', 'bob'] } });
  expect(accountsOf(policy, { ...bob, email: 'bob@EXAMPLE.com', username: 'b.smith@corp.example' })).toEqual([
    'adm-bob',
    'bob',
    'b.smith',
  ]);
  expect(accountsOf(policy, bob)).toEqual([]);
});
