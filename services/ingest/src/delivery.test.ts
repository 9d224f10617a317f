import { readFile } from 'node:fs/promises';
import type { Bus } from '@cordon/bus';
import { sha256 } from '@cordon/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aRecord, rawOf, SECRET, sign, startLab } from './lab.ts';

const vectorFile = new URL('../../../packages/limacharlie/fixtures/webhook-signature-vector.json', import.meta.url);
const records = (count: number) => Array.from({ length: count }, (_, index) => aRecord({ cat: `record ${index}` }));
const minutesAgo = (minutes: number) => Date.now() - minutes * 60_000;

let lab: Awaited<ReturnType<typeof startLab>>;
/** How often the log was searched and appended to. */
const calls = { hasDetection: 0, append: 0 };
/** The next appends that fail. */
let failing = 0;

function watched(bus: Bus) {
  return {
    quarantine: (...record: Parameters<Bus['quarantine']>) => bus.quarantine(...record),
    log: {
      detectionsSince: (...query: Parameters<Bus['log']['detectionsSince']>) => bus.log.detectionsSince(...query),
      hasDetection: (...query: Parameters<Bus['log']['hasDetection']>) => {
        calls.hasDetection++;
        return bus.log.hasDetection(...query);
      },
      append: async (...event: Parameters<Bus['log']['append']>) => {
        calls.append++;
        if (failing-- > 0) throw new Error('the broker went away');
        return bus.log.append(...event);
      },
    },
  };
}
beforeAll(async () => {
  lab = await startLab({ wrap: watched, secrets: [SECRET, '123'] });
});
afterAll(() => lab[Symbol.asyncDispose]());

/** The stored detections of these records, by their titles. */
async function titlesOf(records: { detect_id: string }[]) {
  const { detections } = await lab.stored();
  const ids = new Set(records.map((record) => record.detect_id));
  return detections.flatMap((event) =>
    event.type === 'detection.raised' && ids.has(event.data.detection.finding_info.uid)
      ? [event.data.detection.finding_info.title]
      : [],
  );
}

describe('one detection stays one', () => {
  test('delivered ten times at once', async () => {
    const record = aRecord();
    const text = JSON.stringify(record);
    const answers = await Promise.all(Array.from({ length: 10 }, () => lab.post(text)));
    const count = (status: string) => answers.filter(({ body }) => Object(body).status === status).length;
    expect([count('stored'), count('duplicate')]).toEqual([1, 9]);
    expect(await titlesOf([record])).toHaveLength(1);
  });

  test('in another form, order of keys and batch', async () => {
    const record = aRecord();
    const { cat, ...rest } = record;
    await lab.post(JSON.stringify(record));
    await lab.post(JSON.stringify([{ ...rest, cat }, record]));
    expect(await titlesOf([record])).toHaveLength(1);
  });

  test('replayed when the broker has forgotten it', async () => {
    const text = JSON.stringify(aRecord({ gen_time: minutesAgo(60) }));
    expect((await lab.post(text)).body).toMatchObject({ status: 'stored' });
    const before = calls.append;
    expect((await lab.post(text)).body).toMatchObject({ status: 'duplicate' });
    expect(calls.append).toBe(before); // found in the log itself, not by the broker's memory of ids
  });

  test.each([
    ['has no time of its own', { gen_time: undefined }],
    ['is from the future', { gen_time: minutesAgo(-60) }],
    ['has no detect_id', { gen_time: minutesAgo(60), detect_id: undefined }],
  ])('replayed where it %s', async (_name, changes) => {
    const text = JSON.stringify({ ...aRecord(), ...changes });
    await lab.post(text);
    const before = calls.append;
    expect((await lab.post(text)).body).toMatchObject({ status: 'duplicate' });
    expect(calls.append).toBe(before);
  });

  test('a fresh one is not searched for', async () => {
    const before = calls.hasDetection;
    await lab.post(JSON.stringify(aRecord({ gen_time: minutesAgo(4) })));
    expect(calls.hasDetection).toBe(before);
  });
});

describe('a batch', () => {
  test.each([
    ['an array', (texts: string[]) => `[${texts.join(' ,\n')}]`],
    ['lines', (texts: string[]) => `${texts.join('\r\n\r\n')}\n`],
  ])('as %s is stored whole', async (_name, join) => {
    const batch = records(40);
    const answer = await lab.post(join(batch.map((record) => JSON.stringify(record))));
    expect(answer).toMatchObject({ status: 202, body: { counts: { stored: 40, duplicate: 0, quarantined: 0 } } });
    expect((await titlesOf(batch)).toSorted()).toEqual(batch.map(({ cat }) => cat).toSorted());
  });

  test('with one record that nobody understands keeps the others', async () => {
    const [first, second] = records(2).map((record) => JSON.stringify(record));
    const answer = await lab.post([first, '{"broken":', second, '{"no":"cat"}', first].join('\n'));
    const counts = { stored: 2, duplicate: 1, quarantined: 2 };
    expect(answer).toMatchObject({ status: 202, body: { status: 'stored', counts } });
  });

  test('of which one was not stored is not accepted, and can be sent again', async () => {
    const batch = records(20);
    const text = JSON.stringify(batch);
    failing = 1;
    expect(await lab.post(text)).toMatchObject({ status: 503, body: { error: 'unavailable' } });
    failing = 0;
    expect(await lab.post(text)).toMatchObject({ status: 202 });
    expect(await titlesOf(batch)).toHaveLength(20);
  });
});

describe('what is stored', () => {
  test('is what was sent, to the byte', async () => {
    const cat = '<b>\u0000\u001b[31m\u202e \u{1F480} {{x}} <!channel> \\ " \ud800';
    const record = aRecord({ cat });
    const text = ` ${JSON.stringify(record, null, 1).replace('"cat"', '"c\\u0061t"')}\n`;
    await lab.post(text);
    const { detections } = await lab.stored();
    const event = detections.find((candidate) => rawOf(candidate) === text.trim());
    expect(event).toMatchObject({
      source: '/cordon/ingest',
      tenantId: record.routing.oid,
      endpointId: record.routing.sid,
      data: { detection: { finding_info: { title: cat } }, raw: { sha256: sha256(text.trim()) } },
    });
    expect(event?.id).toBe(sha256(`limacharlie\n${record.routing.oid}\n${record.detect_id}`));
  });

  test('may be large', async () => {
    const filler = '"\\'.repeat(200_000);
    const answer = await lab.post(JSON.stringify(aRecord({ filler })));
    expect(answer).toMatchObject({ status: 202, body: { status: 'stored' } });
  });
});

test("LimaCharlie's published signature", async () => {
  const vector = JSON.parse(await readFile(vectorFile, 'utf8'));
  const post = (signature: string) => lab.post(vector.signed_string, { 'lc-signature': signature });
  expect(await post(vector.bad_signature)).toMatchObject({ status: 401 });
  expect(await post(vector.expected_signature)).toMatchObject({ status: 202, body: { status: 'stored' } });
  const form = new URLSearchParams({ data: vector.signed_string }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'lc-signature': vector.expected_signature };
  expect(await lab.post(form, headers)).toMatchObject({ status: 202, body: { status: 'duplicate' } });
});

test('detections are counted by severity, once', async () => {
  const counted = async () =>
    (await lab.metric('cordon_detections_total')).find(({ labels }) => labels['severity'] === 'critical')?.value ?? 0;
  const before = await counted();
  const text = JSON.stringify(aRecord({ detect_mtd: { level: 'critical' } }));
  await lab.post(text);
  await lab.post(text);
  expect(await counted()).toBe(before + 1);
});

test('without the broker nothing is accepted, and nothing is lost', async () => {
  await using lab = await startLab();
  const record = aRecord();
  const text = JSON.stringify(record);
  await lab.broker.stop();
  const refused = await Promise.all([
    lab.post(text),
    lab.post('not a detection'),
    lab.post(text, { 'lc-signature': sign('x') }),
  ]);
  expect(refused.map(({ status }) => status)).toEqual([503, 503, 401]);
  expect(refused[0]?.headers.get('retry-after')).toBe('5');

  await lab.broker.restart();
  await expect.poll(() => lab.post(text), { timeout: 20_000 }).toMatchObject({ status: 202 });
  const { detections, quarantined } = await lab.stored();
  expect([detections.map(rawOf), quarantined]).toEqual([[text], []]);
});

test('what is too large for the broker goes into quarantine, or back to the sender', async () => {
  await using lab = await startLab({ bodyLimitBytes: 16 * 1024 * 1024 }); // the broker takes 8 MB
  const quoted = JSON.stringify(aRecord({ filler: '"'.repeat(2_500_000) })); // 5 MB, and 10 MB when quoted once more
  expect(await lab.post(quoted)).toMatchObject({ status: 202, body: { status: 'quarantined' } });
  const { quarantined } = await lab.stored();
  expect(quarantined.map(({ problem }) => problem)).toEqual([expect.stringContaining('too large for the event log')]);

  const answer = await lab.post(JSON.stringify(aRecord({ filler: 'x'.repeat(9_000_000) })));
  expect(answer).toMatchObject({ status: 413, body: { error: 'too_large' } });
});
