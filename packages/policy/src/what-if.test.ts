import { expect, test } from 'vitest';
import { aMachine, aPolicy, DEFAULTS } from './builders.ts';
import { type PastDecision, whatIf } from './what-if.ts';

const minutes = (count: number): string => new Date(Date.parse('2026-03-01T08:00:00Z') + count * 60_000).toISOString();
const yes = (name: string, more: { channel?: 'slack'; hasPasskey?: true } = {}) => ({
  name,
  channel: 'page' as const,
  hasPasskey: false,
  ...more,
});

let incidents = 0;
/** One yes after five minutes, on the page, that isolated the machine. */
function aDecision(about: Partial<PastDecision> = {}): PastDecision {
  const id = String(++incidents);
  return {
    incidentId: id,
    endpointId: id,
    machine: aMachine(),
    detected: { rule: 'general.x', severityId: 4 },
    askedAt: minutes(0),
    expiresAt: minutes(30),
    deciders: ['soc'],
    isOverride: false,
    outcome: 'isolate',
    decidedAt: minutes(5),
    answers: [yes('Alice')],
    result: 'isolated',
    ...about,
  };
}

function howOf(policy: Record<string, unknown>, history: PastDecision[], fleet?: number): string[][] {
  return whatIf(aPolicy(policy), history, { defaults: DEFAULTS, fleet }).map(({ how }) => how);
}
const tier = (about: Record<string, unknown>) => ({ tiers: [{ name: 'all', ...about }] });

test.each<[string, Partial<PastDecision>, Record<string, unknown>, string[]]>([
  ['nothing, where the policy says the same', {}, {}, []],
  ['the votes that are missing', {}, tier({ quorum: 2 }), ['1 of 2 votes']],
  ['enough votes', { answers: [yes('Alice'), yes('Bob')] }, tier({ quorum: 2 }), []],
  ['one no, which is enough always', { outcome: 'leave', result: undefined }, tier({ quorum: 2 }), []],
  [
    'Slack, where it may not decide',
    { answers: [yes('Alice', { channel: 'slack' })] },
    {},
    ['the answer of Alice in Slack does not count', '0 of 1 votes'],
  ],
  [
    'a no in Slack, where it may not decide',
    { outcome: 'leave', result: undefined, answers: [yes('Alice', { channel: 'slack' })] },
    {},
    ['the answer of Alice in Slack does not count'],
  ],
  ['Slack, where it may', { answers: [yes('Alice', { channel: 'slack' })] }, tier({ slack: 'buttons' }), []],
  ['a missing passkey', {}, tier({ passkey: true }), ['each yes must be signed by a passkey', '0 of 1 votes']],
  ['a passkey', { answers: [yes('Alice', { hasPasskey: true })] }, tier({ passkey: true }), []],
  ['a shorter deadline', {}, tier({ expires: '5m' }), ['expired after 5m, before the last answer']],
  [
    'a longer deadline',
    { outcome: 'expired', decidedAt: minutes(30), answers: [], result: undefined },
    tier({ expires: '1h' }),
    [`open until ${minutes(60)}`],
  ],
  [
    'a question that expired anyway',
    { outcome: 'expired', decidedAt: minutes(30), answers: [], result: undefined },
    {},
    [],
  ],
  [
    'other groups',
    {},
    tier({ deciders: ['leads'] }),
    ['decided by leads instead of soc (who was in which group is not recorded)'],
  ],
  ['groups that nobody recorded', { deciders: undefined }, tier({ deciders: ['leads'] }), []],
  ['a protected machine', {}, { protected: { tags: ['server'] } }, ['never isolated: tag server']],
  ['one that was protected before', { result: 'protected' }, { protected: { tags: ['server'] } }, []],
  ['one that was protected and is not', { result: 'protected' }, {}, ['no longer protected']],
  ['one that was refused for another reason', { result: 'refused' }, { protected: { tags: ['server'] } }, []],
  ['one that was left anyway', { outcome: 'leave', result: undefined }, { protected: { tags: ['server'] } }, []],
  ['more persons for an override', { isOverride: true }, {}, ['1 of 2 votes']],
])('%s', (_what, past, policy, how) => {
  expect(howOf(policy, [aDecision(past)])).toEqual(how.length === 0 ? [] : [how]);
});

const rule = { name: 'auto', rules: ['general.x'], tiers: ['all'], severity: 'high' };

test('a rule decides instead of people, but isolates nothing that is protected', () => {
  const byAuto = 'decided at once by the rule “auto”, nobody asked';
  const left = aDecision({ outcome: 'leave', result: undefined });
  expect(howOf({ auto_isolate: [rule] }, [left])).toEqual([[byAuto]]);
  expect(howOf({ auto_isolate: [rule], protected: { tags: ['server'] } }, [left])).toEqual([
    [byAuto, 'never isolated: tag server'],
  ]);
  const byRule = aDecision({ rule: 'auto', answers: [] });
  expect(howOf({ auto_isolate: [rule] }, [byRule])).toEqual([]);
  const refused: PastDecision = { ...byRule, result: 'refused' };
  expect(howOf({ auto_isolate: [rule], protected: { tags: ['server'] } }, [refused])).toEqual([]);
  expect(howOf({}, [byRule])).toEqual([['people are asked: no rule isolates it']]);
});

test('isolations that the policy prevents do not count towards the blast radius, and others do', () => {
  const history = [
    aDecision({ machine: aMachine({ hostname: 'dc-1' }), decidedAt: minutes(1) }),
    aDecision({ decidedAt: minutes(4) }),
    aDecision({ decidedAt: minutes(2) }),
    aDecision({ decidedAt: minutes(3), result: 'refused' }),
    aDecision({ askedAt: minutes(70), decidedAt: minutes(70) }),
  ];
  const limit = { blast_radius: { isolations: 1 } };
  const held = 'held back: 1 other machine was isolated within 1h, and the policy allows 1.';
  expect(howOf({ ...limit, protected: { hosts: ['dc-*'] } }, history)).toEqual([
    ['never isolated: host dc-1 matches dc-*'],
    [held],
  ]);
  expect(howOf(limit, history)).toEqual([[held], [held]]);
  expect(howOf({}, history, 10)).toEqual([
    ['held back: 1 other machine was isolated within 1h, and the policy allows 10 % of 10 machines, which is 1.'],
    ['held back: 1 other machine was isolated within 1h, and the policy allows 10 % of 10 machines, which is 1.'],
  ]);
  expect(howOf({}, history)).toEqual([]);
});

test('what was held back is not, where the limit is higher', () => {
  expect(howOf({}, [aDecision({ result: 'held' })])).toEqual([['not held back']]);
});
