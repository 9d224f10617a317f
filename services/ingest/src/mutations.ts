import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';

/** One change to a body, small enough for fast-check to shrink a list of them. */
type Edit =
  | { do: 'cut' | 'flip' | 'repeat' | 'remove'; at: number; length: number }
  | { do: 'insert'; at: number; bytes: Uint8Array }
  | { do: 'retype' | 'double'; at: number; json: string }
  | { do: 'nest'; depth: number; how: '[]' | '{}' }
  | { do: 'join'; how: (body: Buffer) => Buffer };

const fixtures = new URL('../../../packages/limacharlie/fixtures/', import.meta.url);
/** Real detections, on one line as they are sent. */
export const SAMPLES = readdirSync(fixtures)
  .filter((file) => file.endsWith('.json') && !/expected|vector/.test(file))
  .map((file) => readFileSync(new URL(file, fixtures), 'utf8'))
  .map((text) => Buffer.from(JSON.stringify(JSON.parse(text))));

const HOSTILE = [
  '\\ud800', // a lone surrogate, escaped
  '\\udc00\\ud800',
  '\\u0000',
  '"__proto__":{"cat":1},',
  '\u202e',
  '\ufeff',
  '{"cat":',
  '"',
  '\\',
  '\n',
  '\r\n\r\n',
  ',',
  ']}',
].map((text) => Buffer.from(text));
const INVALID_UTF8 = ['ff', 'c080', 'eda080', 'f8888080', 'e28228', 'f0'].map((hex) => Buffer.from(hex, 'hex'));
const JSON_VALUES = [
  'null',
  '1e999',
  '-0',
  '[]',
  '{}',
  '""',
  'true',
  '9007199254740993',
  '"\\udfff"',
  '[[[]]]',
  '[null]',
];

const place = fc.nat(100_000);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({
    do: fc.constantFrom('cut' as const, 'flip' as const, 'repeat' as const, 'remove' as const),
    at: place,
    length: fc.nat(300),
  }),
  fc.record({
    do: fc.constant('insert' as const),
    at: place,
    bytes: fc.oneof(fc.constantFrom(...HOSTILE, ...INVALID_UTF8), fc.uint8Array({ maxLength: 8 })),
  }),
  fc.record({
    do: fc.constantFrom('retype' as const, 'double' as const),
    at: place,
    json: fc.oneof(fc.constantFrom(...JSON_VALUES), fc.json({ maxDepth: 2 })),
  }),
  fc.record({
    do: fc.constant('nest' as const),
    depth: fc.integer({ min: 1, max: 200 }),
    how: fc.constantFrom('[]' as const, '{}' as const),
  }),
  fc.record({
    do: fc.constant('join' as const),
    how: fc.constantFrom(
      (body: Buffer) => Buffer.concat([body, Buffer.from('\n'), body]),
      (body: Buffer) => Buffer.concat([Buffer.from('['), body, Buffer.from(','), body, Buffer.from(']')]),
      (body: Buffer) => Buffer.concat([Buffer.from('\ufeff'), body]),
      (body: Buffer) => Buffer.from(body.toString('latin1'), 'utf16le'),
    ),
  }),
);

/** Detections with up to six changes: most are broken, some only odd. */
export const body: fc.Arbitrary<Buffer> = fc
  .record({ sample: fc.constantFrom(...SAMPLES), edits: fc.array(edit, { maxLength: 6 }) })
  .map(({ sample, edits }) => edits.reduce(changed, sample));

function changed(body: Buffer, edit: Edit): Buffer {
  if (body.length === 0 || body.length > 64 * 1024) return body;
  if (edit.do === 'join') return edit.how(body);
  if (edit.do === 'nest') return nested(body, edit.depth, edit.how);
  const at = edit.at % body.length;
  const [before, after] = [body.subarray(0, at), body.subarray(at)];
  switch (edit.do) {
    case 'cut':
      return before;
    case 'flip':
      return Buffer.concat([before, Buffer.from([(body[at] ?? 0) ^ (1 << (edit.length % 8))]), after.subarray(1)]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, edit.length), after]);
    case 'remove':
      return Buffer.concat([before, after.subarray(edit.length)]);
    case 'insert':
      return Buffer.concat([before, edit.bytes, after]);
    case 'retype':
    case 'double':
      return revalued(body, edit);
  }
}

/** Gives one key another value, or a second one: whichever is meant, it is found in the text, as an attacker would. */
function revalued(body: Buffer, edit: Edit & { do: 'retype' | 'double' }): Buffer {
  const text = body.toString('latin1');
  const keys = /"[A-Za-z_]+"\s*:\s*("[^"\\]*"|[\d.-]+|true|false|null)?/g;
  keys.lastIndex = edit.at % body.length;
  const key = keys.exec(text);
  if (!key) return body;
  const name = key[0].slice(0, key[0].indexOf(':') + 1);
  const value = Buffer.from(edit.json).toString('latin1');
  const replacement = edit.do === 'double' || key[1] === undefined ? `${name}${value},${key[0]}` : name + value;
  return Buffer.from(text.slice(0, key.index) + replacement + text.slice(key.index + key[0].length), 'latin1');
}

/** For the special bodies too. */
export function nested(body: Buffer, depth: number, how: '[]' | '{}'): Buffer {
  const [open, close] = how === '[]' ? ['[', ']'] : ['{"detect":', '}'];
  return Buffer.concat([Buffer.from(open.repeat(depth)), body, Buffer.from(close.repeat(depth))]);
}
