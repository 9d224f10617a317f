import { expect, test } from 'vitest';
import { evaluate } from './evaluate.ts';
import { DetectNode, EventRecord } from './parse-rule.ts';

const record = EventRecord.parse({
  event: {
    FILE_PATH: 'C:\\Users\\bob\\Downloads\\LaZagne.exe',
    COMMAND_LINE: 'LaZagne.exe all all',
    EMPTY: '',
    NONE: null,
    NO_TAGS: [],
    PID: 988,
    SIGNED: false,
    NETWORK: [{ PORT: 80 }, { PORT: 443 }],
    NAMES: ['one', 'two', 'three'],
  },
  routing: { event_type: 'NEW_PROCESS', plat: 0x10000000, tags: ['windows', 'vip'] },
});

const matched = (node: unknown): boolean => evaluate(DetectNode.parse(node), record).matched;

test.for<[boolean, Record<string, unknown>]>([
  [true, { op: 'is', path: 'event/PID', value: 988 }],
  [false, { op: 'is', path: 'event/PID', value: '988' }],
  [true, { op: 'is', path: 'event/SIGNED', value: false }],
  [true, { op: 'is', path: 'event/FILE_PATH', value: 'LaZagne.exe', 'file name': true }],
  [false, { op: 'is', path: 'event/FILE_PATH', value: 'lazagne.exe', 'file name': true }],
  [true, { op: 'is', path: 'event/FILE_PATH', value: 'lazagne.exe', 'file name': true, 'case sensitive': false }],
  [true, { op: 'is', path: 'event/NAMES', value: 'two' }],
  [true, { op: 'exists', path: 'event/NONE' }],
  [true, { op: 'exists', path: 'event/EMPTY' }],
  [false, { op: 'exists', path: 'event/NONE', truthy: true }],
  [false, { op: 'exists', path: 'event/EMPTY', truthy: true }],
  [true, { op: 'exists', path: 'event/SIGNED', truthy: true }],
  [false, { op: 'exists', path: 'event/NO_TAGS' }],
  [false, { op: 'exists', path: 'event/MISSING' }],
  [true, { op: 'contains', path: 'event/COMMAND_LINE', value: 'all' }],
  [true, { op: 'contains', path: 'event/COMMAND_LINE', value: 'all', count: 2 }],
  [false, { op: 'contains', path: 'event/COMMAND_LINE', value: 'all', count: 3 }],
  [false, { op: 'contains', path: 'event/PID', value: '8' }],
  [true, { op: 'starts with', path: 'event/COMMAND_LINE', value: 'LaZ' }],
  [false, { op: 'starts with', path: 'event/COMMAND_LINE', value: 'laz' }],
  [true, { op: 'ends with', path: 'event/FILE_PATH', value: '.EXE', 'case sensitive': false }],
  [false, { op: 'ends with', path: 'event/FILE_PATH', value: '.EXE' }],
  [true, { op: 'is greater than', path: 'event/NETWORK/PORT', value: 442 }],
  [false, { op: 'is greater than', path: 'event/NETWORK/PORT', value: 443 }],
  [true, { op: 'is lower than', path: 'event/NETWORK/PORT', value: 81 }],
  [false, { op: 'is lower than', path: 'event/COMMAND_LINE', value: 81 }],
  [true, { op: 'is greater than', path: 'event/COMMAND_LINE', value: 18, 'length of': true }],
  [false, { op: 'is greater than', path: 'event/COMMAND_LINE', value: 19, 'length of': true }],
  [true, { op: 'is lower than', path: 'event/NAMES', value: 4, 'length of': true }],
  [true, { op: 'is greater than', path: '/', value: 1, 'length of': true }],
  [true, { op: 'matches', path: 'event/FILE_PATH', re: '\\\\downloads\\\\.*\\.exe$' }],
  [false, { op: 'matches', path: 'event/FILE_PATH', re: '\\\\downloads\\\\', 'case sensitive': true }],
  [true, { op: 'matches', path: 'event/FILE_PATH', re: '^lazagne', 'file name': true }],
  [true, { op: 'is windows' }],
  [false, { op: 'is linux' }],
  [false, { op: 'is mac' }],
  [true, { op: 'is platform', name: 'windows' }],
  [false, { op: 'is platform', name: 'macos' }],
  [true, { op: 'is tagged', tag: 'vip' }],
  [false, { op: 'is tagged', tag: 'VIP' }],
])('%s for %j, and the opposite with `not`', ([expected, node]) => {
  expect(matched(node)).toBe(expected);
  expect(matched({ ...node, not: true })).toBe(!expected);
});

test('the type of event decides first, whatever `not` says', () => {
  const node = { op: 'exists', path: 'event/MISSING', not: true };
  expect(matched({ ...node, event: 'NEW_PROCESS' })).toBe(true);
  expect(matched({ ...node, events: ['EXISTING_PROCESS', 'NEW_PROCESS'] })).toBe(true);
  expect(matched({ ...node, event: 'DNS_REQUEST' })).toBe(false);
  expect(matched({ ...node, event: 'new_process' })).toBe(false);
  expect(matched({ op: 'or', rules: [{ ...node, event: 'DNS_REQUEST' }, { op: 'is windows' }] })).toBe(true);
});

test('a record without platform or tags is on no platform and has no tag', () => {
  const bare = EventRecord.parse({ event: {}, routing: { event_type: 'NEW_PROCESS' } });
  expect(evaluate({ op: 'is windows' }, bare).matched).toBe(false);
  expect(evaluate({ op: 'is tagged', tag: 'vip' }, bare).matched).toBe(false);
});

test('the trace has each operator that was evaluated, children first, and none that was not', () => {
  const node = DetectNode.parse({
    op: 'and',
    rules: [
      { path: 'event/FILE_PATH', op: 'ends with', value: 'lazagne.exe', 'case sensitive': false },
      { op: 'or', rules: [{ op: 'is linux' }, { op: 'is windows' }, { op: 'is mac' }] },
    ],
  });
  expect(evaluate(node, record)).toEqual({
    matched: true,
    trace: [
      'true => (~ends with) {"case sensitive":false,"op":"ends with","path":"event/FILE_PATH","value":"lazagne.exe"}',
      'false => (is linux) {"op":"is linux"}',
      'true => (is windows) {"op":"is windows"}',
      'true => (or) {"op":"or","rules":[{"op":"is linux"},{"op":"is windows"},{"op":"is mac"}]}',
      expect.stringMatching(/^true => \(and\) \{"op":"and","rules":\[\{"case sensitive":false,/),
    ],
  });
});
