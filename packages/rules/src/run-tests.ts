import { evaluate, watches } from './evaluate.ts';
import type { Rule } from './parse-rule.ts';

/**
 * Runs the tests a rule record carries, as the vendor does before it accepts the record.
 *
 * A `match` test passes when one of its events matches, and an event of a type the rule does not watch is an error in it;
 * a `non_match` test fails when one matches, and skips such an event (LimaCharlie docs: "D&R Rules Unit Tests").
 * Returns how many tests passed and a sentence for each that did not.
 */
export function runTests(rule: Rule): { passed: number; failures: string[] } {
  const foreign = (type: string): boolean => !watches(rule.detect, type);

  const match = rule.tests.match.map((events, index) => {
    const wrong = events.find(({ routing }) => foreign(routing.event_type));
    if (wrong) return `match[${index}]: the rule does not watch ${wrong.routing.event_type}`;
    return events.some((event) => evaluate(rule.detect, event).matched) ? '' : `match[${index}]: no event matched`;
  });
  const nonMatch = rule.tests.non_match.map((events, index) =>
    events.some((event) => evaluate(rule.detect, event).matched) ? `non_match[${index}]: an event matched` : '',
  );

  const failures = [...match, ...nonMatch].filter((failure) => failure !== '');
  return { passed: match.length + nonMatch.length - failures.length, failures };
}
