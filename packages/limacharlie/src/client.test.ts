import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { all, answering, failureOf, oid, replying, sid, startLab } from './client-lab.ts';
import { limaCharlie } from './client.ts';
import { EdrDenied, EdrRejected } from './errors.ts';

const ISOLATE = 'POST /v1/:sid/isolation';

afterEach(() => void vi.useRealTimers());

describe('a machine', () => {
  test('is isolated and let back, as the sensor reports it', async () => {
    await using lab = await startLab();
    await lab.client.isolate(sid);
    expect(await lab.client.isolationOf(sid)).toMatchObject({ shouldIsolate: true });
    await expect.poll(() => lab.client.isolationOf(sid)).toEqual({ isIsolated: true, shouldIsolate: true });
    await lab.client.rejoin(sid);
    await expect.poll(() => lab.client.isolationOf(sid)).toEqual({ isIsolated: false, shouldIsolate: false });
    expect(lab.sandbox.calls.isolation.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
  });

  test('that is offline is asked all the same, and stays as it is', async () => {
    await using lab = await startLab();
    lab.sandbox.setOnline(sid, false);
    await lab.client.isolate(sid);
    expect(await lab.client.isolationOf(sid)).toEqual({ isIsolated: false, shouldIsolate: true });
    expect(await lab.client.isOnline(sid)).toBe(false);
    lab.sandbox.setOnline(sid, true);
    expect(await lab.client.isOnline(sid)).toBe(true);
    await expect.poll(() => lab.client.findSensor(sid)).toMatchObject({ isolated: true, shouldIsolate: true });
  });

  test('is described', async () => {
    await using lab = await startLab();
    expect(await lab.client.findSensor(sid)).toEqual({
      sid,
      hostname: 'workstation-01',
      plat: 0x10000000,
      platformName: 'windows',
      isEndpoint: true,
      online: true,
      isolated: false,
      shouldIsolate: false,
    });
  });

  test('that is none is an adapter', async () => {
    const adapter = randomUUID();
    await using lab = await startLab({ sensors: [{ sid: adapter, hostname: 'aws', plat: 0xb0000000, arch: 9 }] });
    expect(await lab.client.findSensor(adapter)).toMatchObject({ platformName: 'adapter', isEndpoint: false });
  });

  test('that does not exist is nothing to find, and an error to isolate', async () => {
    await using lab = await startLab();
    expect(await lab.client.findSensor(randomUUID())).toBeUndefined();
    const error = await failureOf(lab.client.isolate(randomUUID()));
    expect(error).toBeInstanceOf(EdrRejected);
    expect(error).toMatchObject({ status: 404, message: expect.stringContaining('sensor not found') });
  });

  test.each(['..', '', `${sid}/isolation`, 'a b'])('cannot be called %j', async (name) => {
    await using lab = await startLab();
    expect(await failureOf(lab.client.isolate(name))).toBeInstanceOf(EdrRejected);
    expect(lab.sandbox.calls.counts).toEqual({});
  });
});

test('the key says who it is and what it may do', async () => {
  await using lab = await startLab();
  const { ident, permissions } = await lab.client.whoAmI();
  expect([ident, permissions]).toEqual(['cordon-responder', expect.arrayContaining(['sensor.task'])]);
});

describe('tokens', () => {
  test('are shared by calls at the same time, and kept', async () => {
    await using lab = await startLab();
    await Promise.all(Array.from({ length: 10 }, () => lab.client.isOnline(sid)));
    await lab.client.isOnline(sid);
    expect(lab.sandbox.calls.counts['POST /jwt']).toBe(1);
  });

  test('are renewed ten minutes before they end', async () => {
    await using lab = await startLab();
    vi.useFakeTimers({ toFake: ['Date'] });
    await lab.client.isOnline(sid);
    vi.setSystemTime(Date.now() + 49 * 60_000);
    await lab.client.isOnline(sid);
    expect(lab.sandbox.calls.counts['POST /jwt']).toBe(1);
    vi.setSystemTime(Date.now() + 2 * 60_000);
    await lab.client.isOnline(sid);
    expect(lab.sandbox.calls.counts['POST /jwt']).toBe(2);
  });

  test('are renewed once when refused, and the call repeated', async () => {
    await using lab = await startLab();
    await lab.client.isOnline(sid);
    lab.sandbox.faults.set('401', 1);
    await lab.client.isolate(sid);
    expect(lab.sandbox.calls.counts).toMatchObject({ 'POST /jwt': 2, [ISOLATE]: 2 });
  });

  test('a second refusal is believed', async () => {
    await using lab = await startLab();
    lab.sandbox.faults.set('401');
    expect(await failureOf(lab.client.isolate(sid))).toBeInstanceOf(EdrDenied);
    expect(lab.sandbox.calls.counts).toMatchObject({ 'POST /jwt': 2, [ISOLATE]: 2 });
  });

  test('a rejected key is not shown again for a minute', async () => {
    await using lab = await startLab({}, { apiKey: 'a-wrong-key' });
    vi.useFakeTimers({ toFake: ['Date'] });
    for (let count = 0; count < 3; count++) expect(await failureOf(lab.client.isOnline(sid))).toBeInstanceOf(EdrDenied);
    expect(lab.sandbox.calls.counts).toEqual({ 'POST /jwt': 1 });
    vi.setSystemTime(Date.now() + 61_000);
    expect(await failureOf(lab.client.isOnline(sid))).toBeInstanceOf(EdrDenied);
    expect(lab.sandbox.calls.counts).toEqual({ 'POST /jwt': 2 });
  });
});

test('the API address may end with the version', async () => {
  await using lab = await startLab();
  const { apiUrl, jwtUrl } = lab.sandbox;
  const client = limaCharlie({ apiUrl: `${apiUrl}/v1/`, jwtUrl, oid, apiKey: lab.apiKey, log: { warn: () => {} } });
  expect(await client.findSensor(sid)).toMatchObject({ sid });
});

test('the sensor record is read under both of its names', async () => {
  const info = { plat: '10000000', hostname: '', is_isolated: true, isolated: false, tags: ['vip'] };
  await using server = await replying(JSON.stringify({ info, online: { error: 'gone' } }));
  expect(await server.client.findSensor(sid)).toEqual({
    sid,
    hostname: sid,
    plat: 0x10000000,
    platformName: 'windows',
    isEndpoint: true,
    online: false,
    isolated: true,
    shouldIsolate: false,
    tags: ['vip'],
  });
});

describe('past detections', () => {
  const range = { start: new Date(0), end: new Date('2100-01-01') };

  test('come page by page, with the text that was sent', async () => {
    const texts = ['{"cat":"a", "n":1.0}', '{"cat":"b"}', '{"cat":"c"}'];
    const pages: Record<string, object> = {
      '-': { detects: gzipSync(`[${texts[0]}, ${texts[1]}]`).toString('base64'), next_cursor: 'more' },
      more: { detects: gzipSync(`[${texts[2]}]`).toString('base64'), next_cursor: 'last' },
      last: { detects: null, next_cursor: '' },
    };
    await using server = await answering((request, response) => {
      const cursor = new URL(request.url ?? '', 'http://localhost').searchParams.get('cursor') ?? '';
      response.end(JSON.stringify(pages[cursor]));
    });
    const read = await all(server.client.detections(range));
    expect(read.map(({ records }) => records.map(({ text }) => text))).toEqual([texts.slice(0, 2), [texts[2]], []]);
    expect(read.map(({ nextCursor }) => nextCursor)).toEqual(['more', 'last', undefined]);
    expect(await all(server.client.detections(range, 'last'))).toEqual([{ records: [], nextCursor: undefined }]);
  });

  test('of the stand-in are the ones it raised', async () => {
    await using lab = await startLab();
    const detection = { cat: 'x', detect_id: randomUUID(), gen_time: Date.now(), routing: { oid, sid } };
    await lab.sandbox.raise(detection);
    const [page] = await all(lab.client.detections(range));
    expect(page?.records).toEqual([{ text: expect.any(String), value: expect.objectContaining(detection) }]);
  });

  test('that cannot be read are an error', async () => {
    await using server = await replying('{"detects":"bm8gZ3ppcA==","next_cursor":""}');
    expect(await failureOf(all(server.client.detections(range)))).toMatchObject({ kind: 'rejected' });
  });
});
