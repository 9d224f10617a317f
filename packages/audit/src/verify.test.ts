import { signEvent } from '@cordon/contracts';
import { stored } from '@cordon/contracts/builders';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aKey, anExport, someEvents } from './builders.ts';
import { audited, lineOf, nextRecord, recordIn, sealIn, summarize, verifyLines, type Rules } from './index.ts';

const { key, publicKey } = aKey();
const other = aKey();
const events = someEvents(key, 3);
const lines = anExport(events, key); // 12 records, and the seal
const COUNT = lines.length;

/** Line and beginning of each problem. */
async function problemsIn(found: readonly string[], rules: Rules = { keys: [publicKey] }): Promise<[number, string][]> {
  const checked = await Array.fromAsync(verifyLines(found, rules));
  return checked.flatMap(({ line, problem }): [number, string][] => (problem ? [[line, problem]] : []));
}
function fail(): never {
  throw new Error('nothing there');
}
const record = (at: number) => recordIn(lines[at] ?? '') ?? fail();
const saying = (words: RegExp) => expect.stringMatching(words);

test('what was recorded has no problem, and tells who decided what', async () => {
  expect(await problemsIn(lines)).toEqual([]);
  const { add, summary } = summarize();
  for await (const checked of verifyLines(lines, { keys: [publicKey] })) add(checked);
  expect(summary()).toMatchObject({
    records: 12,
    problems: 0,
    first: { n: 1 },
    last: { n: 12 },
    sealed: { n: 12 },
    decisions: { isolate: 3 },
    persons: [{ subject: 'alice', name: 'Alice Ärmlich' }],
    policyVersions: ['p1'],
    keyIds: [record(0).signature.keyId],
  });
});

test('a line is plain ASCII: nothing in it can turn text around or break a line', () => {
  for (const line of lines) expect(line).toMatch(/^[ -~]+$/);
  expect(record(0).event).toMatchObject({ data: { detection: { evidences: [{ process: { cmd_line: /\u202E/ } }] } } });
});

test('a detection is recorded with the digest of what was received, and without its text', () => {
  const [detected] = events;
  if (detected?.type !== 'detection.raised') throw new Error('no detection');
  const { body, ...rest } = detected.data.raw;
  expect(body).not.toBe('');
  expect(record(0).event.data).toEqual({ detection: detected.data.detection, raw: rest });
});

const byte = fc.tuple(fc.nat(COUNT - 1), fc.nat(), fc.integer({ min: 1, max: 255 }));
const place = fc.nat(COUNT - 1);
/** A change that somebody makes to the file. It may leave the file as it is; then it does not count. */
const mutation: fc.Arbitrary<{ name: string; result: string[] }> = fc.oneof(
  byte.map(([at, column, by]) => {
    const bytes = Buffer.from(lines[at] ?? '');
    const index = column % bytes.length;
    bytes[index] = ((bytes[index] ?? 0) + by) % 256;
    return { name: `byte ${index} of line ${at + 1}`, result: lines.with(at, bytes.toString('latin1')) };
  }),
  byte.map(([at, column]) => {
    const text = lines[at] ?? '';
    const index = column % text.length;
    return { name: 'a character removed', result: lines.with(at, text.slice(0, index) + text.slice(index + 1)) };
  }),
  fc.tuple(place, fc.integer({ min: 1, max: 5 })).map(([at, count]) => {
    return { name: `${count} removed at ${at}`, result: lines.toSpliced(at, count) };
  }),
  fc.tuple(place, place).map(([from, to]) => {
    return { name: `${from} repeated at ${to}`, result: lines.toSpliced(to, 0, lines[from] ?? '') };
  }),
  fc.tuple(place, place).map(([one, two]) => {
    return { name: `${one} and ${two} swapped`, result: lines.with(one, lines[two] ?? '').with(two, lines[one] ?? '') };
  }),
  fc.tuple(place, place).map(([from, to]) => {
    return { name: `${from} moved to ${to}`, result: lines.toSpliced(from, 1).toSpliced(to, 0, lines[from] ?? '') };
  }),
  fc.tuple(place, fc.boolean()).map(([at, replaces]) => {
    const event = audited({ ...(events[1] ?? events[0] ?? fail()), seq: 1000 });
    const forged = nextRecord(at === 0 ? { n: 0, hash: '0'.repeat(64) } : record(at - 1), event, new Date(), other.key);
    return { name: `forged at ${at}`, result: lines.toSpliced(at, replaces ? 1 : 0, lineOf(forged)) };
  }),
  fc.nat(COUNT - 1).map((count) => ({ name: `cut after ${count}`, result: lines.slice(0, count) })),
  fc.nat(COUNT - 2).map((count) => {
    return { name: `cut after ${count}, the seal kept`, result: [...lines.slice(0, count), lines.at(-1) ?? ''] };
  }),
  fc.tuple(fc.integer({ min: 1, max: 15 }), fc.boolean()).map(([n, isForged]) => {
    const seal = sealIn(lines.at(-1) ?? '') ?? fail();
    const changed = isForged ? { ...seal, signature: record(0).signature } : { ...seal, seal: { ...seal.seal, n } };
    return { name: `the seal says ${n}`, result: lines.with(COUNT - 1, lineOf(changed)) };
  }),
);
test('1,000 random changes: every one is found', async () => {
  let changes = 0;
  await fc.assert(
    fc.asyncProperty(mutation, async ({ result }) => {
      if (result.join('\n') === lines.join('\n')) return;
      changes++;
      expect(await problemsIn(result)).not.toEqual([]);
    }),
    { numRuns: 1100 },
  );
  expect(changes).toBeGreaterThanOrEqual(1000);
}, 120_000);

test('every character of the signature counts, also the bits that base64 does not use', async () => {
  const text = lines[3] ?? '';
  const at = text.lastIndexOf('==') - 1; // of its six bits, four say nothing
  const withDigit = (digit: string) => text.slice(0, at) + digit + text.slice(at + 1);
  const same = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.split('').filter((digit) => {
    const [own, its] = [text, withDigit(digit)].map((line) =>
      Buffer.from(recordIn(line)?.signature.value ?? '', 'base64'),
    );
    return digit !== text[at] && its?.equals(own ?? fail());
  });
  expect(same).toHaveLength(15);
  for (const digit of same) expect(await problemsIn(lines.with(3, withDigit(digit)))).toHaveLength(1);
});

test('one change gives one problem, on the line where it is', async () => {
  const text = lines[4] ?? '';
  expect(await problemsIn(lines.with(4, text.replace('all', 'ALL')))).toEqual([[5, saying(/content does not give/)]]);
  expect(await problemsIn(lines.with(4, `${text} `))).toEqual([[5, saying(/not written as Cordon writes/)]]);
  expect(await problemsIn(lines.with(4, text.slice(0, 90)))).toEqual([[5, saying(/no line that Cordon wrote/)]]);
  expect(await problemsIn(lines.toSpliced(4, 0, ''))).toEqual([[5, saying(/no line that Cordon wrote/)]]);
  expect(await problemsIn(lines.toSpliced(4, 1))).toEqual([[5, saying(/Record 5 does not stand before it/)]]);
  expect(await problemsIn(lines.toSpliced(4, 3))).toEqual([[5, saying(/Records 5 to 7 do not stand/)]]);
  expect(await problemsIn(lines.toSpliced(0, 2))).toEqual([[1, saying(/Records 1 to 2 do not stand/)]]);
  expect(await problemsIn(lines.toSpliced(4, 0, text))).toEqual([
    [6, saying(/after record 5: it was moved or repeated/)],
  ]);
  const forged = lineOf(nextRecord(record(3), audited(events[1] ?? fail()), new Date(), other.key));
  expect(await problemsIn(lines.toSpliced(4, 0, forged))).toEqual([[5, saying(/another key .* changed or added/)]]);
  expect(await problemsIn(lines.with(4, forged))).toEqual([[5, saying(/another key/)]]);
  expect(await problemsIn(lines.with(11, forged))).toEqual([[12, saying(/another key/)]]);
});

test('the end cannot be cut off, with the seal or without', async () => {
  expect(await problemsIn(lines.slice(0, 10))).toEqual([[11, saying(/seal is missing/)]]);
  expect(await problemsIn([])).toEqual([[1, saying(/seal is missing/)]]);
  const seal = lines.at(-1) ?? '';
  expect(await problemsIn([...lines.slice(0, 10), seal])).toEqual([[11, saying(/missing at the end.* record 12/)]]);
  expect(await problemsIn([...lines, lines[11] ?? ''])).toContainEqual([13, saying(/seal stands in the middle/)]);
  expect(await problemsIn(lines.with(12, seal.replace('"n":12', '"n":11')))).toEqual([
    [13, saying(/seal does not fit/)],
  ]);
  const older = anExport(events.slice(0, 9), key).at(-1) ?? '';
  expect(await problemsIn(lines.with(12, older))).toEqual([[13, saying(/older one: it was made at record 9/)]]);
});

test('a rewritten past does not fit what follows, though every record in it is genuine', async () => {
  const elsewhere = anExport(someEvents(key, 3), key);
  const mixed = [...elsewhere.slice(0, 4), ...lines.slice(4)];
  expect(await problemsIn(mixed)).toEqual([[5, saying(/does not follow from record 4/)]]);
  expect(await problemsIn(lines.with(12, elsewhere[12] ?? ''))).toEqual([[13, saying(/of another record 12/)]]);
});

test('after the key was replaced, both public keys are needed, and are enough', async () => {
  const later = someEvents(other.key, 2);
  const rotated = [...lines.slice(0, 12), ...anExport(later, other.key, record(11))];
  expect(await problemsIn(rotated, { keys: [publicKey, other.publicKey] })).toEqual([]);
  expect(await problemsIn(rotated, { keys: [publicKey] })).toHaveLength(9);
});

test('a decision that approval did not make is named, though it was recorded', async () => {
  const [detected, decided] = events;
  if (!detected || decided?.type !== 'approval.decided') throw new Error('no decision');
  const { signature: _, ...unsigned } = decided.data;
  const decisions = [
    { ...decided, data: unsigned },
    signEvent(decided, other.key),
    { ...decided, data: { ...decided.data, outcome: 'leave' as const } },
    decided,
  ];
  expect(await problemsIn(anExport(stored([detected, ...decisions]), key))).toEqual([
    [2, saying(/record is genuine, but not the approval.decided in it, which carries no signature/)],
    [3, saying(/signed with another key/)],
    [4, saying(/does not fit its signature/)],
  ]);
});

test('a part is checked as far as a part can be', async () => {
  const part = lines.filter((_, at) => at % 3 === 1 || at === 12);
  expect(await problemsIn(part)).not.toEqual([]);
  const rules = { keys: [publicKey], partial: true };
  expect(await problemsIn(part, rules)).toEqual([]);
  expect(await problemsIn(part.with(2, part[2]?.replace('"seq":8', '"seq":9') ?? ''), rules)).toHaveLength(1);
  expect(await problemsIn(part.with(2, part[3] ?? '').with(3, part[2] ?? ''), rules)).toEqual([
    [4, saying(/moved or repeated/)],
  ]);
});
