import { RE2JS } from 're2js';
import type { DetectNode, EventRecord, Platform } from './parse-rule.ts';
import { valuesAt } from './path.ts';

type Logic = Exclude<DetectNode, { op: 'and' | 'or' }>;
type OnText = Extract<Logic, { 'file name'?: unknown }>;

/** Sensor platforms as `routing.plat` carries them (LimaCharlie docs: "ID Schema"). */
const platforms: Record<Platform, number> = {
  windows: 0x10000000,
  linux: 0x20000000,
  macos: 0x30000000,
  ios: 0x40000000,
  android: 0x50000000,
  chrome: 0x60000000,
};

/**
 * Answers whether one record satisfies a rule's detection logic, and how each operator came to its result.
 *
 * `trace` has a line per operator in the order it was finished, children before their parent, in the form the vendor's
 * console prints; `~` marks a comparison that ignores case, and what `and` or `or` never reached is absent
 * (LimaCharlie docs: "Replay"; the form of a line as seen in its "Test Event").
 */
export function evaluate(detect: DetectNode, record: EventRecord): { matched: boolean; trace: string[] } {
  const trace: string[] = [];
  return { matched: holds(detect, record, trace), trace };
}

/** Whether a node looks at this type of event at all; the comparison is exact (LimaCharlie docs: "Detection Logic Operators"). */
export function watches(node: DetectNode, eventType: string): boolean {
  if (node.event === undefined && node.events === undefined) return true;
  return node.event === eventType || node.events?.includes(eventType) === true;
}

function holds(node: DetectNode, record: EventRecord, trace: string[]): boolean {
  // Outside `not`: a rule for one type of event must not fire on every other type.
  if (!watches(node, record.routing.event_type)) return false;
  const result = outcome(node, record, trace) !== (node.not ?? false);
  trace.push(`${result} => (${ignoresCase(node) ? '~' : ''}${node.op}) ${inKeyOrder(node)}`);
  return result;
}

function outcome(node: DetectNode, record: EventRecord, trace: string[]): boolean {
  switch (node.op) {
    case 'and':
      return node.rules.every((rule) => holds(rule, record, trace));
    case 'or':
      return node.rules.some((rule) => holds(rule, record, trace));
    case 'is platform':
      return record.routing.plat === platforms[node.name];
    case 'is windows':
      return record.routing.plat === platforms.windows;
    case 'is linux':
      return record.routing.plat === platforms.linux;
    case 'is mac':
      return record.routing.plat === platforms.macos;
    case 'is tagged':
      return record.routing.tags?.includes(node.tag) === true;
    case 'is greater than':
    case 'is lower than':
      return measures(record, node).some((number) =>
        node.op === 'is greater than' ? number > node.value : number < node.value,
      );
    case 'exists':
      return leaves(record, node.path).some((value) => !node.truthy || (value !== null && value !== ''));
    case 'is':
    case 'contains':
    case 'starts with':
    case 'ends with':
    case 'matches':
    default:
      return leaves(record, node.path).some((value) => compares(node, value));
  }
}

function compares(node: OnText, value: unknown): boolean {
  // No conversion: a number is only equal to a number, and has no prefix or suffix.
  if (typeof value !== 'string') return node.op === 'is' && value === node.value;
  const text = node['file name'] ? (value.split(/[\\/]/).at(-1) ?? '') : value;
  if (node.op === 'matches') {
    return RE2JS.compile(node.re, ignoresCase(node) ? RE2JS.CASE_INSENSITIVE : 0).test(text);
  }
  if (typeof node.value !== 'string') return false;
  const fold = (string: string): string => (ignoresCase(node) ? string.toLowerCase() : string);
  const [actual, wanted] = [fold(text), fold(node.value)];
  if (node.op === 'is') return actual === wanted;
  if (node.op === 'contains') return actual.split(wanted).length > (node.count ?? 1);
  return node.op === 'starts with' ? actual.startsWith(wanted) : actual.endsWith(wanted);
}

/** `matches` ignores case unless told otherwise, every other operator respects it unless told otherwise. */
function ignoresCase(node: DetectNode): boolean {
  if (node.op === 'matches') return node['case sensitive'] !== true;
  return 'case sensitive' in node && node['case sensitive'] === false;
}

/** A list at the end of a path stands for its elements: one that fits is enough. */
function leaves(record: EventRecord, path: string): unknown[] {
  const open = (value: unknown): unknown[] => (Array.isArray(value) ? value.flatMap(open) : [value]);
  return valuesAt(record, path).flatMap(open);
}

function measures(record: EventRecord, node: Extract<Logic, { 'length of'?: unknown }>): number[] {
  if (!node['length of']) return leaves(record, node.path).filter((value) => typeof value === 'number');
  return valuesAt(record, node.path).flatMap((value) => {
    if (typeof value === 'string' || Array.isArray(value)) return [value.length];
    return typeof value === 'object' && value !== null ? [Object.keys(value).length] : [];
  });
}

function inKeyOrder(node: DetectNode): string {
  return JSON.stringify(node, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
