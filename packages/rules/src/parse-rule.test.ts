import { expect, test } from 'vitest';
import { parseRule, parseRulesFile } from './parse-rule.ts';

const detect = { op: 'is windows' };

test('reads a rule, and what it leaves out', () => {
  expect(parseRule({ detect, respond: [{ action: 'report', name: 'a' }] })).toEqual({
    detect,
    respond: [{ action: 'report', name: 'a', publish: true }],
    tests: { match: [], non_match: [] },
  });
});

test('names an unknown operator and where it stands', () => {
  const rule = { detect: { op: 'and', rules: [detect, { op: 'or', rules: [{ op: 'cidr', path: 'event/IP' }] }] } };
  expect(() => parseRule(rule)).toThrow('detect.rules[1].rules[0].op: unknown operator "cidr"');
  expect(() => parseRule({ detect: { event: 'NEW_PROCESS' } })).toThrow('detect.op: unknown operator (none given)');
});

test.for([
  ['a modifier it cannot evaluate', { op: 'is', path: 'a', value: 'b', 'sub domain': '-2:' }, '"sub domain"'],
  ['a misspelt modifier', { op: 'is', path: 'a', value: 'b', case_sensitive: false }, '"case_sensitive"'],
  ['stateful logic', { ...detect, 'with child': detect }, '"with child"'],
  ['another target', { ...detect, target: 'detection' }, '"target"'],
  ['a value that is looked up', { op: 'is', path: 'a', value: '<<event/B>>' }, 'detect.value'],
  ['a sensor variable', { op: 'contains', path: 'a', value: '[[names]]' }, 'detect.value'],
  ['a number where text is compared', { op: 'ends with', path: 'a', value: 5 }, 'detect.value'],
  ['look-around, which RE2 has not', { op: 'matches', path: 'a', re: '(?=b)' }, 'detect.re: not an RE2 expression'],
  ['an unknown platform', { op: 'is platform', name: 'lc' }, 'detect.name'],
  ['a combination of nothing', { op: 'or', rules: [] }, 'detect.rules'],
] as const)('refuses %s', ([, detect, message]) => {
  expect(() => parseRule({ detect })).toThrow(message);
});

test('the default target may be written out', () => {
  expect(parseRule({ detect: { ...detect, target: 'edr' } }).detect).toEqual(detect);
});

test('refuses a misspelt action and a report it could not fill in', () => {
  const respond = [{ action: 'isolate' }, { action: 'report', name: '{{ .routing.hostname }}' }];
  expect(() => parseRule({ detect, respond })).toThrow(
    'bad rule\nrespond[0].action: unknown action "isolate"\nrespond[1].name: templates are not supported',
  );
});

test('a record of a rules file is off unless it says otherwise', () => {
  const record = { data: { detect }, usr_mtd: {} };
  const document = {
    version: 3,
    hives: { 'dr-general': { one: record, two: { ...record, usr_mtd: { enabled: true } } } },
  };
  expect(parseRulesFile(document)).toMatchObject([
    { name: 'one', enabled: false, tags: [] },
    { name: 'two', enabled: true },
  ]);
  expect(() => parseRulesFile({ hives: { 'dr-general': { one: { data: {}, usr_mtd: {} } } } })).toThrow('bad rule one');
});
