export { evaluate } from './evaluate.ts';
export { DetectNode, EventRecord, parseRule, parseRulesFile, type Rule, type StoredRule } from './parse-rule.ts';
export { runTests } from './run-tests.ts';
