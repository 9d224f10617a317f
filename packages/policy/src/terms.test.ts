import { expect, test } from 'vitest';
import { autoRuleFor } from './auto-rule.ts';
import { aMachine, aPolicy, DEFAULTS } from './builders.ts';
import { explain } from './explain.ts';
import { loadPolicy } from './load-policy.ts';
import { protectedBy, tierOf } from './match.ts';
import { termsFor } from './terms.ts';

const at = new Date('2026-03-01T08:00:00Z');

test.each([
  [{ hostname: 'DC-01.corp.example', tags: [] }, 'critical'],
  [{ hostname: 'dc7', tags: [] }, 'critical'],
  [{ hostname: 'dcx', tags: [] }, 'workstation'],
  [{ hostname: 'win-srv-07', tags: ['windows', 'Server'] }, 'server'],
  [{ hostname: 'win-srv-07', tags: ['server', 'domain-controller'] }, 'critical'],
  [{ hostname: 'laptop', tags: [] }, 'workstation'],
])('by default, %j is %s', (machine, tier) => {
  expect(tierOf(loadPolicy(undefined), aMachine(machine)).name).toBe(tier);
});

test('within one entry everything must hold; one entry is enough', () => {
  const policy = aPolicy({
    tiers: [
      {
        name: 'a',
        match: [{ hosts: ['{web,db}-*'], tags: ['prod', 'live'], platforms: ['linux'] }, { hosts: ['*.dmz.example'] }],
      },
      { name: 'rest' },
    ],
  });
  const tier = (hostname: string, tags: string[], platform: string) =>
    tierOf(policy, { hostname, tags, platform }).name;
  expect(tier('db-1.corp.example', ['LIVE'], 'linux')).toBe('a');
  expect(tier('db-1.corp.example', ['LIVE'], 'windows')).toBe('rest');
  expect(tier('db-1.corp.example', ['test'], 'linux')).toBe('rest');
  expect(tier('mail', ['live'], 'linux')).toBe('rest');
  expect(tier('mail.dmz.example', [], 'windows')).toBe('a');
});

test('by default a server is asked about as ever: one yes within the time that is set', () => {
  const { terms, ...question } = termsFor(loadPolicy(undefined), aMachine(), DEFAULTS, at);
  expect(question).toEqual({
    votesNeeded: 1,
    expiresAt: '2026-03-01T08:30:00.000Z',
    why: 'Tier server (tag server): one person must agree.',
  });
  expect(terms).toEqual({
    policyVersion: loadPolicy(undefined).version,
    tier: 'server',
    deciders: ['soc'],
    remindAt: ['2026-03-01T08:15:00.000Z'],
    escalate: [{ at: '2026-03-01T08:20:00.000Z', mail: [], slack: [] }],
    contacts: { mail: ['soc@example.com'], slack: [] },
    slackDecides: false,
    passkey: false,
    quietMs: 3_600_000,
    decisionValidMs: 600_000,
  });
});

test('what a tier says goes before the settings', () => {
  const policy = aPolicy({
    tiers: [
      {
        name: 'all',
        deciders: ['leads', 'duty'],
        quorum: 3,
        expires: '2h',
        remind: ['1h', '30m'],
        escalate: [
          { after: '90m', slack: ['U0BOSS'] },
          { after: '45m', mail: ['duty@example.com'] },
        ],
        contacts: { slack: ['U0LEAD'] },
        slack: 'buttons',
        release_after: '8h',
        ask_again_after: '5m',
        decision_valid: '1m',
      },
    ],
  });
  const { votesNeeded, expiresAt, why, terms } = termsFor(policy, aMachine(), DEFAULTS, at);
  expect({ votesNeeded, expiresAt, why }).toEqual({
    votesNeeded: 3,
    expiresAt: '2026-03-01T10:00:00.000Z',
    why: 'Tier all: three persons must agree.',
  });
  expect(terms).toMatchObject({
    deciders: ['leads', 'duty'],
    remindAt: ['2026-03-01T08:30:00.000Z', '2026-03-01T09:00:00.000Z'],
    escalate: [
      { at: '2026-03-01T08:45:00.000Z', mail: ['duty@example.com'], slack: [] },
      { at: '2026-03-01T09:30:00.000Z', mail: [], slack: ['U0BOSS'] },
    ],
    contacts: { mail: ['soc@example.com'], slack: ['U0LEAD'] },
    slackDecides: true,
    releaseAfterMs: 28_800_000,
    quietMs: 300_000,
    decisionValidMs: 60_000,
  });
});

test('nothing is due at the deadline that the settings give, or after it', () => {
  const policy = aPolicy({ tiers: [{ name: 'all', remind: ['10m', '30m'], escalate: [{ after: '1h' }] }] });
  const { terms } = termsFor(policy, aMachine(), DEFAULTS, at);
  expect(terms).toMatchObject({ remindAt: ['2026-03-01T08:10:00.000Z'], escalate: [] });
});

test('two persons decide about a domain controller, and the question says why', () => {
  const machine = aMachine({ hostname: 'dc-01', tags: [] });
  const { votesNeeded, why } = termsFor(loadPolicy(undefined), machine, DEFAULTS, at);
  expect({ votesNeeded, why }).toEqual({
    votesNeeded: 2,
    why: 'Tier critical (host dc-01 matches dc-*): two persons must agree.',
  });
});

test.each([
  [{ hosts: ['x', 'WIN-SRV-*'] }, 'host win-srv-07.corp.example matches WIN-SRV-*'],
  [{ tags: ['x', 'Server'] }, 'tag Server'],
  [{ platforms: ['linux', 'windows'] }, 'platform windows'],
  [{ hosts: ['win'], tags: ['serv'], platforms: ['linux'] }, undefined],
])('protected by %j: %s', (entries, expected) => {
  expect(protectedBy(aPolicy({ protected: entries }), aMachine())).toBe(expected);
});

test.each([
  ['nobody is isolated without asking unless the policy says so', {}, undefined],
  ['the rule, the tier and the severity fit', { rules: ['a', 'general.x'], tiers: ['all'], severity: 'high' }, 'auto'],
  ['critical is the least where nothing is said', { rules: ['general.x'], tiers: ['all'] }, undefined],
  ['another rule', { rules: ['general'], tiers: ['all'], severity: 'high' }, undefined],
  ['another tier', { rules: ['general.x'], tiers: ['other'], severity: 'high' }, undefined],
])('%s', (_what, rule, expected) => {
  const policy = aPolicy({
    tiers: [{ name: 'other', match: [{ hosts: ['other'] }] }, { name: 'all' }],
    auto_isolate: 'rules' in rule ? [{ name: 'auto', ...rule }] : [],
  });
  expect(autoRuleFor(policy, aMachine(), { rule: 'general.x', severityId: 4 })?.name).toBe(expected);
});

test('explains in sentences what will happen', () => {
  const policy = aPolicy({
    tiers: [
      {
        name: 'all',
        quorum: 2,
        passkey: true,
        escalate: [{ after: '15m', mail: ['duty@example.com'], slack: ['U0BOSS'] }],
        release_after: '8h',
      },
    ],
    protected: { tags: ['server'] },
    auto_isolate: [{ name: 'canary', rules: ['general.x'], tiers: ['all'] }],
  });
  const { lines, ...explanation } = explain(policy, aMachine(), DEFAULTS);
  expect(explanation).toMatchObject({ tier: 'all', votesNeeded: 2, expiryMs: 1_800_000, protectedBy: 'tag server' });
  expect(lines.map(([name, sentence]) => `${name}: ${sentence}`).join('\n')).toMatchInlineSnapshot(`
    "host: win-srv-07.corp.example
    tags: windows, server
    platform: windows
    tier: all: no tier before it matches
    protected: yes, never isolated whoever decides: tag server
    who decides: members of soc, but nobody who is logged on to the machine
    votes: two persons must say yes, signed by a passkey; one no ends it
    in Slack: a link to the page, where people decide
    expires: after 30m, without isolating
    reminders: none
    escalation: after 15m without an answer, and when it expires, to duty@example.com, Slack U0BOSS
    fallback: soc@example.com
    carried out: within 10m of the decision, or not at all
    released: by itself after 8h
    asked again: about the same finding after 1h, about another one at once
    not asked: canary: general.x with severity critical or above isolates at once
    blast radius: more than 10 isolations within 1h, or of 10 % of the fleet, wait for two persons
    policy: dc0d9fe543c0c7b3"
  `);
});
