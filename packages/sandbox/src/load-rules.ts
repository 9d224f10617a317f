import { readFileSync } from 'node:fs';
import { parseRulesFile, type StoredRule } from '@cordon/rules';
import { parse } from 'yaml';

/** The rules LimaCharlie is given (`deploy/limacharlie/rules.yaml`), so that the sandbox detects what production detects. */
export function loadRules(): StoredRule[] {
  return parseRulesFile(
    parse(readFileSync(new URL('../../../deploy/limacharlie/rules.yaml', import.meta.url), 'utf8')),
  );
}
