import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { aPolicy } from './builders.ts';
import { PolicyError } from './faults.ts';
import { parsePolicy } from './parse-policy.ts';
import { PolicyFile } from './schema.ts';

const example = await readFile(new URL('../policy.yaml', import.meta.url), 'utf8');

function faultsOf(text: string): string[] {
  try {
    parsePolicy(text, 'p');
  } catch (error) {
    if (error instanceof PolicyError) return error.message.split('\n');
    throw error;
  }
  return [];
}
/** What a comment of the example shows, indented by three, below the line that begins so. */
function shown(after: string): unknown {
  const lines = example.slice(example.indexOf(after)).split('\n');
  const first = lines.findIndex((line) => line.startsWith('#   '));
  const end = lines.findIndex((line, at) => at > first && !line.startsWith('#   '));
  return parse(
    lines
      .slice(first, end)
      .map((line) => line.slice(4))
      .join('\n'),
  );
}

// Updated with `vitest run --project unit packages/policy -u`.
test('the schema for editors is what the parser takes', async () => {
  const schema = z.toJSONSchema(PolicyFile, { io: 'input' });
  await expect(`${JSON.stringify(schema, undefined, 2)}\n`).toMatchFileSnapshot('../policy.schema.json');
});

test('what is right for the parser is right for an editor', () => {
  const editor = z.fromJSONSchema({ ...z.toJSONSchema(PolicyFile, { io: 'input' }) });
  expect(editor.safeParse(parse(example)).error).toBeUndefined();
  expect(editor.safeParse(parse(example.replace('quorum: 2', 'quorom: 2'))).success).toBe(false);
});

test('the example says what holds where nothing is said', () => {
  const { protected: written, ...policy } = parsePolicy(example);
  const { protected: silent, ...rest } = aPolicy();
  expect(written).toEqual({ ...silent, tags: ['never-isolate'] });
  expect({ ...policy, tiers: [], text: '', version: '' }).toEqual({ ...rest, tiers: [], text: '', version: '' });
});

test('what the example only shows in comments is right as well', () => {
  const tier = z.record(z.string(), z.unknown()).parse(shown('# All that a tier may say'));
  expect(Object.keys(tier)).toHaveLength(11);
  const tiers = [{ name: 'workstation', ...tier }];
  const autoIsolate = shown('# Rules that isolate without asking');
  const accounts = shown('# of the address before the @');
  const slackUsers = shown('# Who is who in Slack');
  const policy = aPolicy({ tiers, auto_isolate: autoIsolate, accounts, slack_users: slackUsers });
  expect(policy.auto_isolate).toHaveLength(1);
  expect(policy.accounts).toEqual({ 'bob@example.com': ['CORP\\adm-bob'] });
  expect(Object.keys(policy.slack_users)).toEqual(['T0123ABCD/U0123ABCD']);
});

test('durations are milliseconds, and the version is the digest of the text', () => {
  const [tier] = aPolicy({ tiers: [{ name: 'a', expires: '90s', release_after: '8h', remind: ['1m'] }] }).tiers;
  expect(tier).toMatchObject({ expires: 90_000, release_after: 28_800_000, remind: [60_000], decision_valid: 600_000 });
  expect(aPolicy({ blast_radius: { within: '2d' } }).blast_radius.within).toBe(172_800_000);
  expect(parsePolicy('tiers: [{ name: a }]').version).toBe('cc8775ae8fc149c8');
});

test('every fault is told at once, in order, with line, column and what it should be', () => {
  const text = `tiers:
  - name: a
    quorom: 2
    quorum: 11
    expires: 10
    remind: []
    match: [{}]
  - match: [{ hosts: [x], platforms: [window] }]
  - name: a
    match: [{ tags: [7] }]
    expires: 10m
    remind: [5m, 20m]
    escalate: [{ after: 10m }]
    passkey: true
    slack: buttons
auto_isolate: [{ name: x, rules: [y], tiers: [a, c], severity: high }]
accounts: { bob: [bob], a@b.example: [] }
slack_users: { T01: { subject: s, name: n, groups: [g] } }
blast_radius: { override_quorum: 1, fleet_percent: 200, isolations: 0 }
`;
  expect(faultsOf(text)).toEqual([
    'p:3:5: tiers[0].quorom: unknown key; there are name, match, deciders, quorum, expires, remind, escalate, contacts, slack, passkey, release_after, ask_again_after, decision_valid',
    'p:4:13: tiers[0].quorum: must be at most 10 persons',
    'p:5:14: tiers[0].expires: must be a duration such as 90s, 10m, 8h or 2d',
    'p:6:13: tiers[0].remind: must name at least one, or be left out',
    'p:7:13: tiers[0].match[0]: must say hosts, tags or platforms',
    'p:8:5: tiers[1].name: is required',
    'p:8:39: tiers[1].match[0].platforms[0]: must be one of windows, linux, macos, chrome, android, ios',
    'p:9:11: tiers[2].name: must differ from the names of the tiers before it',
    'p:10:5: tiers[2].match: the last tier must have none, to take all the rest',
    'p:10:22: tiers[2].match[0].tags[0]: must be a text',
    'p:16:50: auto_isolate[0].tiers[1]: must be a tier of this file: a, a',
    'p:17:13: accounts.bob: must be a mail address',
    'p:17:38: accounts["a@b.example"]: must name at least one, or be left out',
    'p:18:16: slack_users.T01: must be team/user, such as T0123ABCD/U0123ABCD',
    'p:19:34: blast_radius.override_quorum: must be at least 2 persons',
    'p:19:52: blast_radius.fleet_percent: must be at most 100',
    'p:19:69: blast_radius.isolations: must be more than 0',
  ]);
});

test.each([
  ['a reminder after the deadline', { expires: '10m', remind: ['5m', '10m'] }, 'remind[1]: must come before'],
  [
    'an escalation after the deadline',
    { expires: '10m', escalate: [{ after: '1h' }] },
    'escalate[0].after: must come before',
  ],
  ['a passkey in Slack', { passkey: true, slack: 'buttons' }, 'slack: must be link where passkey is true'],
])('refuses %s', (_what, tier, fault) => {
  expect(faultsOf(stringify({ tiers: [{ name: 'a', ...tier }] }))).toEqual([expect.stringContaining(fault)]);
});

test.each([
  ['', 'p:1:1: must be a block of keys'],
  ['- 1', 'p:1:1: must be a block of keys'],
  ['protected: {}', 'p:1:1: tiers: is required'],
  ['tiers: []', 'p:1:8: tiers: must name at least one, or be left out'],
  ['tiers: [7]', 'p:1:9: tiers[0]: must be a block of keys'],
  [
    'tiers:\n  - name: a\n  - name: b',
    'p:2:5: tiers[0]: must have a `match`: without one it takes all that come after it',
  ],
  ['tiers: [{ name: a }]\ntiers: []', 'p:2:1: Map keys must be unique'],
  ['tiers: [', 'p:1:9: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ['tiers: [{ name: !!js/function a }]', 'p:1:17: Unresolved tag: tag:yaml.org,2002:js/function'],
])('refuses %j', (text, fault) => {
  expect(faultsOf(text)).toEqual([fault]);
});

test('a policy that refers to itself in circles is a fault, not a crash', () => {
  const bomb = [
    'a: &a [x, x, x, x, x, x, x, x, x]',
    ...'bcdefgh'.split('').map((name, at) => {
      const before = 'abcdefgh'.charAt(at);
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`;
    }),
  ].join('\n');
  expect(() => parsePolicy(bomb)).toThrow(PolicyError);
});
