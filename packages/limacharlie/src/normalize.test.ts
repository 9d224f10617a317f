import { readdir, readFile } from 'node:fs/promises';
import { Detection, sha256 } from '@cordon/contracts';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anEvent, aRecord, aRouting, rawOf } from './builders.ts';
import { normalize } from './normalize.ts';

const fixtures = new URL('../fixtures/', import.meta.url);
const receivedAt = new Date('2026-11-24T12:00:00.000Z');
const names = (await readdir(fixtures))
  .filter((file) => file.endsWith('.expected.json'))
  .map((file) => file.replace('.expected.json', ''));
const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(new URL(file, fixtures), 'utf8'));

/** As it is read from the log. */
function normalized(record: unknown) {
  const result = normalize(record, rawOf(record), receivedAt);
  if ('problem' in result) throw new Error(result.problem);
  return Detection.parse(JSON.parse(JSON.stringify(result.detection)));
}
function problemOf(record: unknown): string {
  const result = normalize(record, rawOf(record), receivedAt);
  return 'problem' in result ? result.problem : 'none';
}
const processOf = (event: object, routing = aRouting()) =>
  normalized(aRecord({ detect: { event }, routing })).evidences[0]?.process;
const attacksOf = (tags: unknown, rule_tags?: unknown) =>
  normalized(aRecord({ detect_mtd: { tags }, rule_tags })).finding_info.attacks;
const deviceOf = (routing: object, source?: string) =>
  normalized(aRecord({ routing: { ...aRouting(), ...routing }, source })).device;

describe('captured records', () => {
  test('there are seven of them', () => expect(names).toHaveLength(7));

  test.each(names)('%s is normalized exactly as expected', async (name) => {
    const detection = normalized(await read(`${name}.json`));
    expect(detection).toStrictEqual(await read(`${name}.expected.json`));
  });

  test.each(names)('%s means the same in the flat shape of the documentation', async (name) => {
    const nested = await read(`${name}.json`);
    const { detect, routing } = Object.fromEntries(Object.entries(Object(nested)));
    const flat = { ...Object(nested), detect: Object(detect).event, routing };
    expect(normalized(flat)).toStrictEqual(normalized(nested));
  });
});

describe('identity', () => {
  test('is derived from organisation and detect_id alone', () => {
    const { oid } = aRouting();
    const { uid } = normalized(aRecord({ detect_id: 'abc', cat: 'another title' }));
    expect(uid).toBe(sha256(`limacharlie\n${oid}\nabc`));
  });

  test.each([undefined, '', null, 7])('falls back to the digest of the record where detect_id is %j', (detect_id) => {
    const record = aRecord({ detect_id });
    const detection = normalized(record);
    const digest = rawOf(record).sha256;
    expect(detection.finding_info.uid).toBe(digest);
    expect(detection.uid).toBe(sha256(`limacharlie\n${aRouting().oid}\n${digest}`));
  });

  test('uses the routing of the triggering record where the outer one is missing', () => {
    const record = aRecord({ routing: undefined, detect: { event: anEvent(), routing: aRouting({ sid: 'inner' }) } });
    expect(normalized(record).device.uid).toBe('inner');
  });
});

describe('what cannot be a detection', () => {
  test.each([
    ['text', 'not a JSON object'],
    [[], 'not a JSON object'],
    [null, 'not a JSON object'],
    [aRecord({ cat: '' }), '`cat` is missing'],
    [aRecord({ cat: 5 }), '`cat` is missing'],
    [aRecord({ routing: undefined }), '`oid` is missing'],
    [aRecord({ routing: aRouting({ sid: '' }) }), '`sid` is missing'],
    [aRecord({ routing: aRouting({ sid: 'a.b' }) }), '`routing.sid` is no id'],
    [aRecord({ routing: aRouting({ oid: 'x'.repeat(65) }) }), '`routing.oid` is no id'],
    [aRecord({ gen_time: 17_662_783_850 }), '`gen_time` is no time'],
    [aRecord({ gen_time: 1_766_278_385.5 }), '`gen_time` is no time'],
    [aRecord({ gen_time: undefined, routing: aRouting({ event_time: -1 }) }), '`routing.event_time` is no time'],
  ])('%j: %s', (record, problem) => expect(problemOf(record)).toContain(problem));
});

describe('time', () => {
  test('is gen_time, in milliseconds even where seconds were sent', () => {
    expect(normalized(aRecord({ gen_time: 1_766_278_385 })).time).toBe(1_766_278_385_000);
    expect(normalized(aRecord({ gen_time: '1766278385098' })).time).toBe(1_766_278_385_098);
  });

  test('falls back to event_time, then to the receipt, and says so', () => {
    const fromEvent = normalized(aRecord({ gen_time: undefined }));
    expect([fromEvent.time, fromEvent.metadata.labels]).toEqual([1_766_278_384_540, ['time-from-event']]);

    const routing = aRouting({ event_time: undefined });
    const fromReceipt = normalized(aRecord({ gen_time: undefined, routing }));
    expect([fromReceipt.time, fromReceipt.start_time]).toEqual([receivedAt.getTime(), undefined]);
    expect(fromReceipt.metadata.labels).toEqual(['time-from-receipt']);
  });

  test('an endpoint whose clock was set to 1999 is still reported', () => {
    const detection = normalized(aRecord({ routing: aRouting({ event_time: 930_000_000_000 }) }));
    expect([detection.time, detection.start_time]).toEqual([1_766_278_385_098, undefined]);
    expect(detection.metadata.labels).toEqual(['event-time-unreadable']);
  });
});

describe('severity', () => {
  test.each([
    ['informational', 9, 1, 'rule'],
    ['low', 9, 2, 'rule'],
    ['Medium', 9, 3, 'rule'],
    ['HIGH', 1, 4, 'rule'],
    ['critical', 1, 5, 'rule'],
    ['apocalyptic', 9, 5, 'priority'],
    [undefined, 1, 2, 'priority'],
    [undefined, 2, 2, 'priority'],
    [undefined, 3, 3, 'priority'],
    [undefined, 5, 3, 'priority'],
    [undefined, 6, 4, 'priority'],
    [undefined, 8, 4, 'priority'],
    [undefined, 10, 5, 'priority'],
    [undefined, 0, 3, 'default'],
    [undefined, 11, 3, 'default'],
    [undefined, 'high', 3, 'default'],
    [undefined, undefined, 3, 'default'],
  ])('level %j and priority %j give %i by %s', (level, priority, severity_id, severity_basis) => {
    expect(normalized(aRecord({ detect_mtd: { level }, priority }))).toMatchObject({ severity_id, severity_basis });
  });
});

describe('ATT&CK', () => {
  test('is read from both lists of tags, each thing once', () => {
    const tags = ['attack.T1003.001', 'attack.credential_access', 'attack.s0349', 'car.2013-04-002', 7, null];
    expect(attacksOf(tags, ['attack.credential-access', 'attack.t1555', 'attack.t1003.001'])).toEqual([
      { technique: { uid: 'T1003' }, sub_technique: { uid: 'T1003.001' } },
      { tactic: { uid: 'TA0006', name: 'Credential Access' } },
      { technique: { uid: 'T1555' } },
    ]);
  });

  test.each([undefined, 'attack.t1003', {}, ['attack.t10031', 'attack.toString', 'attack.']])(
    '%j says nothing',
    (tags) => expect(attacksOf(tags)).toBeUndefined(),
  );
});

describe('the machine', () => {
  test.each([
    [268_435_456, true, 'Windows'],
    [536_870_912, true, 'Linux'],
    [805_306_368, true, 'macOS'],
    [1_610_612_736, true, undefined],
    [1_073_741_824, false, undefined],
    [2_952_790_016, false, undefined],
    ['10000000', true, 'Windows'],
    [undefined, false, undefined],
  ])('plat %j: isolatable %j, %j', (plat, isolatable, os) => {
    const device = deviceOf({ plat });
    expect([device.isolatable, device.os?.name]).toEqual([isolatable, os]);
  });

  test('an adapter cannot be isolated whatever plat says', () => {
    expect(deviceOf({ arch: 9 }).isolatable).toBe(false);
  });

  test('takes the platform from the AgentID where routing has none', () => {
    expect(deviceOf({ plat: undefined }, 'oid.iid.sid.20000000.2').os?.name).toBe('Linux');
  });

  test.each(['', 'internal', '10.0.0.999', 7, null])('%j is no address and is left out', (ip) => {
    const device = deviceOf({ int_ip: ip, ext_ip: ip });
    expect(device).not.toHaveProperty('ip');
    expect(device).not.toHaveProperty('external_ip');
  });

  test('knows IPv6', () => expect(deviceOf({ int_ip: 'fe80::1' }).ip).toBe('fe80::1'));

  test('is called by its sensor id where it has no name', () => {
    expect(deviceOf({ hostname: '' }).hostname).toBe(aRouting().sid);
  });
});

describe('the process', () => {
  test('has the parent as user where its own is missing, and nobody where both are', () => {
    expect(processOf(anEvent())?.user?.name).toBe('LAB\\analyst');
    expect(processOf(anEvent({ USER_NAME: '' }))?.user?.name).toBe('LAB\\parent');
    expect(processOf(anEvent({ USER_NAME: undefined, PARENT: undefined }))).not.toHaveProperty('user');
  });

  test('knows its parent by pid where that is all there is', () => {
    const process = processOf(anEvent({ PARENT: undefined, PARENT_PROCESS_ID: 12 }), aRouting({ parent: undefined }));
    expect(process?.parent_process).toEqual({ pid: 12 });
  });

  test.each([
    ['SHA-256', 'AB'.repeat(32), [{ algorithm_id: 3, value: 'ab'.repeat(32) }]],
    ['SHA-1', 'ab'.repeat(20), [{ algorithm_id: 2, value: 'ab'.repeat(20) }]],
    ['MD5', 'ab'.repeat(16), [{ algorithm_id: 1, value: 'ab'.repeat(16) }]],
    ['of an anonymised sample', 'zz'.repeat(32), undefined],
    ['list of a directory event', ['ab'.repeat(32)], undefined],
  ])('reads a hash: %s', (_name, HASH, hashes) => {
    expect(processOf(anEvent({ HASH }))?.file?.hashes).toEqual(hashes);
  });

  test('keeps a hash without a path', () => {
    const file = processOf(anEvent({ FILE_PATH: undefined }))?.file;
    expect([file?.name, file?.path, file?.hashes?.length]).toEqual(['', undefined, 1]);
  });

  test.each([
    ['\\Device\\HarddiskVolume3\\a\\services.exe', 268_435_456, 'services.exe'],
    ['C:/mixed\\x.exe', 268_435_456, 'x.exe'],
    ['/tmp/a\\b', 536_870_912, 'a\\b'],
    ['C:\\ends\\', 268_435_456, 'C:\\ends\\'],
  ])('the file of %s on %i is %s', (FILE_PATH, plat, name) => {
    expect(processOf(anEvent({ FILE_PATH }), aRouting({ plat }))?.file?.name).toBe(name);
  });

  test('an executable is only called one where the event is about the process', () => {
    expect(processOf(anEvent())?.file?.type_id).toBe(8);
    expect(processOf(anEvent(), aRouting({ event_type: 'NEW_DOCUMENT' }))?.file?.type_id).toBe(0);
  });
});

describe('hostile and oversized strings', () => {
  test.each([
    '\u0000\u001b[31mred\u0007',
    '<script>alert(1)</script> & "quotes" `ticks` *bold* <!channel>',
    '\u202egnp.exe',
    '=cmd|calc!A1',
    'lone \ud800 surrogate',
    '{{ .event }} ${x}\r\nX-Header: 1',
  ])('%j is kept as it is', (text) => {
    const event = anEvent({ COMMAND_LINE: text, USER_NAME: text });
    const detection = normalized(aRecord({ cat: text, detect: { event }, routing: aRouting({ hostname: text }) }));
    const process = detection.evidences[0]?.process;
    expect([detection.finding_info.title, detection.device.hostname]).toEqual([text, text]);
    expect([process?.cmd_line, process?.user?.name]).toEqual([text, text]);
    expect(detection.metadata.labels).toBeUndefined();
  });

  test('what is too long is cut, never within a character, and says so', () => {
    const detection = normalized(aRecord({ cat: `${'x'.repeat(511)}\u{1F480}` }));
    expect(detection.finding_info.title).toBe('x'.repeat(511));
    expect(detection.metadata.labels).toEqual(['truncated']);
    expect(normalized(aRecord({ cat: 'x'.repeat(512) })).metadata.labels).toBeUndefined();
  });

  test('a million tags leave room for what Cordon has to say', () => {
    const tags = Array.from({ length: 1_000 }, (_, index) => `tag-${index}`);
    const { labels } = normalized(aRecord({ gen_time: undefined, routing: aRouting({ tags }) })).metadata;
    expect(labels).toHaveLength(64);
    expect(labels?.slice(0, 3)).toEqual(['truncated', 'time-from-event', 'tag-0']);
  });

  test.each(['http://app.limacharlie.io/', 'javascript:alert(1)', 'https://', 7])('%j is no link', (link) => {
    expect(normalized(aRecord({ link })).finding_info).not.toHaveProperty('src_url');
  });
});

test('any mutation of a captured record gives a valid detection or a problem', async () => {
  const samples = await Promise.all(names.map((name) => read(`${name}.json`)));
  const mutation = fc.record({
    sample: fc.constantFrom(...samples),
    seed: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    values: fc.array(fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constant('x'.repeat(40_000))), {
      minLength: 4,
      maxLength: 4,
    }),
  });
  fc.assert(
    fc.property(mutation, ({ sample, seed, values }) => {
      let record: unknown = structuredClone(sample);
      for (const [index, at] of seed.entries()) record = replaceOne(record, at, values[index]);
      const result = normalize(record, rawOf(record), receivedAt);
      const error = 'problem' in result ? result.problem === '' : Detection.safeParse(result.detection).error;
      expect(error || undefined).toBeUndefined();
    }),
    { numRuns: 1_000 },
  );
});

/** A copy of a JSON value in which one place, chosen by `at`, holds something else. */
function replaceOne(json: unknown, at: number, replacement: unknown): unknown {
  let places = 0;
  JSON.stringify(json, (_key, value: unknown) => (places++, value));
  let place = 0;
  const text = JSON.stringify(json, (_key, value: unknown) => (place++ === at % places ? replacement : value));
  return text === undefined ? undefined : JSON.parse(text);
}
