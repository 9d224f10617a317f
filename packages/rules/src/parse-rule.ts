import { RE2JS } from 're2js';
import { z } from 'zod';

const Platform = z.enum(['windows', 'linux', 'macos', 'ios', 'android', 'chrome']);
export type Platform = z.infer<typeof Platform>;

const anyNode = {
  event: z.string().optional(),
  events: z.array(z.string()).nonempty().optional(),
  not: z.boolean().optional(),
};

// A reference would be compared as if it were plain text, so what is not resolved here is refused instead.
const literal = z.string().refine((text) => !/<<.+>>|\[\[.+\]\]/s.test(text), {
  error: 'references to the record (<<path>>) and to sensor variables ([[name]]) are not supported',
});
const plainText = z.string().refine((text) => !text.includes('{{'), { error: 'templates are not supported' });
const expression = z.string().refine(isRe2, { error: 'not an RE2 expression' });

const onePath = { ...anyNode, path: z.string() };
const onText = { ...onePath, 'case sensitive': z.boolean().optional(), 'file name': z.boolean().optional() };

const Condition = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('is'), ...onText, value: z.union([literal, z.number(), z.boolean()]) }),
  z.strictObject({ op: z.literal('exists'), ...onePath, truthy: z.boolean().optional() }),
  z.strictObject({ op: z.literal('contains'), ...onText, value: literal.min(1), count: z.int().positive().optional() }),
  z.strictObject({ op: z.enum(['starts with', 'ends with']), ...onText, value: literal }),
  z.strictObject({ op: z.literal('matches'), ...onText, re: expression }),
  z.strictObject({
    op: z.enum(['is greater than', 'is lower than']),
    ...onePath,
    value: z.number(),
    'length of': z.boolean().optional(),
  }),
  z.strictObject({ op: z.literal('is platform'), ...anyNode, name: Platform }),
  z.strictObject({ op: z.enum(['is windows', 'is linux', 'is mac']), ...anyNode }),
  z.strictObject({ op: z.literal('is tagged'), ...anyNode, tag: z.string() }),
]);

const Combined = z.strictObject({ op: z.enum(['and', 'or']), ...anyNode });

/** One node of the detection logic, under the vendor's own names (LimaCharlie docs: "Detection Logic Operators"). */
export type DetectNode = z.infer<typeof Condition> | (z.infer<typeof Combined> & { rules: DetectNode[] });

const Combination = Combined.extend({
  get rules(): z.ZodType<DetectNode[]> {
    return z.array(DetectNode).min(1);
  },
});

export const DetectNode: z.ZodType<DetectNode> = z.discriminatedUnion('op', [Combination, Condition], {
  error: (issue) => (issue.code === 'invalid_union' ? `unknown operator ${named(issue.input, 'op')}` : undefined),
});

/** A record as the sensor sends it: what happened (`event`) and where (`routing`). */
export const EventRecord = z.looseObject({
  event: z.record(z.string(), z.unknown()),
  routing: z.looseObject({
    event_type: z.string(),
    plat: z.number().optional(),
    tags: z.array(z.string()).optional(),
  }),
});
export type EventRecord = z.infer<typeof EventRecord>;

const Report = z.strictObject({
  action: z.literal('report'),
  name: plainText,
  publish: z.boolean().default(true),
  priority: z.int().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});
// Nothing here acts on these: they are known by name, so that a rule with one of them is read, and a misspelt one is not.
const OtherAction = z.looseObject({
  action: z.enum([
    'task',
    'isolate network',
    'rejoin network',
    'seal',
    'unseal',
    'add tag',
    'remove tag',
    'add var',
    'del var',
    'output',
    'extension request',
    'wait',
  ]),
});
const Action = z.discriminatedUnion('action', [Report, OtherAction], {
  error: (issue) => (issue.code === 'invalid_union' ? `unknown action ${named(issue.input, 'action')}` : undefined),
});

// Each test is a list of alternatives, not a sequence (LimaCharlie docs: "D&R Rules Unit Tests").
const Alternatives = z.array(EventRecord).nonempty();

const Rule = z.strictObject({
  // Only rules over endpoint events are evaluated here; the other targets see other records.
  detect: z.preprocess(withoutDefaultTarget, DetectNode),
  respond: z.array(Action).default([]),
  tests: z
    .strictObject({ match: z.array(Alternatives).default([]), non_match: z.array(Alternatives).default([]) })
    .default({ match: [], non_match: [] }),
});
export type Rule = z.infer<typeof Rule>;

const RulesFile = z.object({
  hives: z.object({
    'dr-general': z.record(
      z.string(),
      z.object({
        data: z.unknown(),
        usr_mtd: z.object({ enabled: z.boolean().default(false), tags: z.array(z.string()).default([]) }),
      }),
    ),
  }),
});

/** A rule under the name, and with the switch and the tags, it has in the hive `dr-general`. */
export type StoredRule = { name: string; enabled: boolean; tags: string[]; rule: Rule };

/**
 * Reads the `data` of one rule record: `detect`, `respond` and `tests`.
 *
 * Throws an Error that names each unknown operator, modifier or bad value together with its place, such as
 * `detect.rules[1].op: unknown operator "cidr"`: a rule that is half understood would be silently blind.
 */
export function parseRule(record: unknown): Rule {
  return parse(Rule, record, 'rule');
}

/**
 * Reads every rule of a parsed configuration file (`hives.dr-general`, in the form `limacharlie sync push` takes).
 *
 * A record is off unless `usr_mtd.enabled` is true (LimaCharlie docs: "Config Hive"). Throws as `parseRule` does.
 */
export function parseRulesFile(document: unknown): StoredRule[] {
  const records = parse(RulesFile, document, 'rules file').hives['dr-general'];
  return Object.entries(records).map(([name, { data, usr_mtd }]) => ({
    name,
    enabled: usr_mtd.enabled,
    tags: usr_mtd.tags,
    rule: parse(Rule, data, `rule ${name}`),
  }));
}

function parse<Schema extends z.ZodType>(schema: Schema, input: unknown, what: string): z.infer<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${z.core.toDotPath(issue.path) || 'all of it'}: ${issue.message}`);
  throw new Error(`bad ${what}\n${faults.join('\n')}`);
}

function isRe2(expression: string): boolean {
  try {
    RE2JS.compile(expression);
    return true;
  } catch {
    return false;
  }
}

function named(input: unknown, key: string): string {
  const name = z.record(z.string(), z.unknown()).safeParse(input).data?.[key];
  return name === undefined ? '(none given)' : JSON.stringify(name);
}

function withoutDefaultTarget(detect: unknown): unknown {
  const parsed = z.looseObject({ target: z.literal('edr') }).safeParse(detect);
  if (!parsed.success) return detect;
  const { target: _, ...node } = parsed.data;
  return node;
}
