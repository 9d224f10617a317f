import { ConfigurationError } from '@cordon/service';
import { isMap, isNode, type Document, type LineCounter } from 'yaml';
import { z } from 'zod';

export type Path = readonly PropertyKey[];
/** Something wrong at one place of the document. `key` is the key of a map that the fault is about. */
export type Fault = { path: Path; key?: string; message: string };

/** A policy that cannot be used, with every fault at once: file, line, column and what it should be. */
export class PolicyError extends ConfigurationError {
  override readonly name = 'PolicyError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(faults.join('\n'), options);
    this.faults = faults;
  }
}

/** What a value should be, where the schema does not say it better. */
export function shouldBe(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`;
  if (issue.code === 'too_small') return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
  if (issue.code !== 'invalid_type') return undefined;
  return issue.input === undefined ? 'is required' : `must be ${KINDS.get(issue.expected) ?? issue.expected}`;
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['string', 'a text'],
  ['boolean', 'true or false'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['array', 'a list'],
  ['object', 'a block of keys'],
  ['record', 'a block of keys'],
]);

/** What the schema finds wrong: one fault for each unknown key. */
export function faultsOf(issues: readonly z.core.$ZodIssue[]): Fault[] {
  return issues.flatMap((issue) => {
    const { path, message } = issue;
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ path, key, message }));
    if (issue.code !== 'invalid_key') return [{ path, message }];
    return issue.issues.map(({ message }) => ({ path: path.slice(0, -1), key: String(path.at(-1)), message }));
  });
}

const Tiers = z.object({
  tiers: z.array(z.object({ name: z.unknown().optional(), match: z.unknown().optional() }).catch({})).catch([]),
});
const Rules = z.object({
  auto_isolate: z.array(z.object({ tiers: z.array(z.unknown()) }).catch({ tiers: [] })).catch([]),
});

/** What is wrong between the parts. Looks at whatever is there, so that it is told together with what the schema finds. */
export function faultsBetween(content: unknown): Fault[] {
  const tiers = Tiers.safeParse(content).data?.tiers ?? [];
  const names = tiers.map(({ name }) => name);
  const known = names.filter((name) => typeof name === 'string').join(', ');
  const faults: Fault[] = [];
  for (const [at, { name, match }] of tiers.entries()) {
    const isLast = at === tiers.length - 1;
    if (name !== undefined && names.indexOf(name) < at) {
      faults.push({ path: ['tiers', at, 'name'], message: 'must differ from the names of the tiers before it' });
    }
    if (isLast && match !== undefined) {
      faults.push({ path: ['tiers', at], key: 'match', message: 'the last tier must have none, to take all the rest' });
    }
    if (!isLast && match === undefined) {
      faults.push({ path: ['tiers', at], message: 'must have a `match`: without one it takes all that come after it' });
    }
  }
  for (const [at, rule] of (Rules.safeParse(content).data?.auto_isolate ?? []).entries()) {
    for (const [place, tier] of rule.tiers.entries()) {
      if (names.includes(tier)) continue;
      faults.push({ path: ['auto_isolate', at, 'tiers', place], message: `must be a tier of this file: ${known}` });
    }
  }
  return faults;
}

/** The line and column of a fault: of what is wrong, or of the nearest thing around it that is there. */
export function placeOf({ path, key }: Fault, document: Document, lines: LineCounter): { line: number; col: number } {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    const item =
      key !== undefined && depth === path.length && isMap(node)
        ? node.items.find((pair) => isNode(pair.key) && pair.key.toString() === key)?.key
        : undefined;
    const range = isNode(item) ? item.range : isNode(node) ? node.range : undefined;
    if (range) return lines.linePos(range[0]);
  }
  return { line: 1, col: 1 };
}
