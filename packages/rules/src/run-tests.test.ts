import { expect, test } from 'vitest';
import { parseRule } from './parse-rule.ts';
import { runTests } from './run-tests.ts';

const detect = { event: 'NEW_PROCESS', op: 'is', path: 'event/A', value: 1 };
const hit = { event: { A: 1 }, routing: { event_type: 'NEW_PROCESS' } };
const miss = { event: { A: 2 }, routing: { event_type: 'NEW_PROCESS' } };
const foreign = { event: { A: 1 }, routing: { event_type: 'NEW_DOCUMENT' } };

const run = (tests: unknown): unknown => runTests(parseRule({ detect, tests }));

test('the events of one test are alternatives', () => {
  expect(run({ match: [[miss, hit]], non_match: [[miss, miss]] })).toEqual({ passed: 2, failures: [] });
  expect(run({ match: [[hit], [miss]], non_match: [[miss, hit]] })).toEqual({
    passed: 1,
    failures: ['match[1]: no event matched', 'non_match[0]: an event matched'],
  });
});

test('an event the rule does not watch is an error in match and skipped in non_match', () => {
  expect(run({ match: [[hit, foreign]], non_match: [[foreign]] })).toEqual({
    passed: 1,
    failures: ['match[0]: the rule does not watch NEW_DOCUMENT'],
  });
});
