import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  apiKey,
  exchange,
  isolation,
  login,
  oid,
  patience,
  send,
  sid,
  start,
  unknownSid,
  unzip,
} from './limacharlie-test-client.ts';

test('an API key is exchanged for a token that says when it ends', async () => {
  await using cloud = await start();
  const { status, body } = await exchange(cloud, { oid, secret: apiKey });
  expect(status).toBe(200);
  const [, claims = ''] = z.object({ jwt: z.string() }).parse(body).jwt.split('.');
  const { exp } = z.object({ exp: z.number() }).parse(JSON.parse(Buffer.from(claims, 'base64url').toString()));
  expect(exp * 1000 - Date.now()).toBeGreaterThan(3_590_000);

  expect(await exchange(cloud, { oid })).toMatchObject({ status: 400, body: { error: 'missing secret' } });
  for (const wrong of [{ secret: apiKey }, { oid, secret: 'another' }, { oid: unknownSid, secret: apiKey }]) {
    expect(await exchange(cloud, wrong)).toMatchObject({ status: 401, body: { error: 'unknown api key' } });
  }
});

test('without a valid token nothing is answered', async () => {
  await using cloud = await start({ tokenLifeMs: -1000 });
  const expired = await login(cloud);
  expect(await expired('GET', isolation)).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
  for (const authorization of ['', 'Bearer ', 'Bearer x', 'Bearer a.b.c', `Bearer ${apiKey}`]) {
    const answer = await send(`${cloud.apiUrl}/v1/who`, { headers: { authorization } });
    expect(answer).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
  }
});

test('isolation is a wish at once and a state later, and so is the way back', async () => {
  await using cloud = await start();
  const call = await login(cloud);
  const flags = async (): Promise<unknown> => (await call('GET', isolation)).body;
  expect(await flags()).toEqual({ is_isolated: false, should_isolate: false });

  expect(await call('POST', isolation)).toMatchObject({ status: 200, body: {} });
  expect(await flags()).toEqual({ is_isolated: false, should_isolate: true });
  await expect.poll(flags, patience).toEqual({ is_isolated: true, should_isolate: true });
  expect((await call('GET', `/v1/${sid}`)).body).toMatchObject({ info: { isolated: true, should_isolate: true } });

  expect(await call('DELETE', isolation)).toMatchObject({ status: 200, body: {} });
  expect(await flags()).toEqual({ is_isolated: true, should_isolate: false });
  await expect.poll(flags, patience).toEqual({ is_isolated: false, should_isolate: false });

  expect(cloud.calls.isolation).toMatchObject([
    { method: 'POST', sid, at: expect.any(Number) },
    { method: 'DELETE', sid },
  ]);
  expect(cloud.calls.counts).toMatchObject({ 'POST /jwt': 1, 'POST /v1/:sid/isolation': 1, 'GET /v1/:sid': 1 });
});

test('a sensor that is offline keeps the wish and carries it out when it is back', async () => {
  await using cloud = await start({ isolationLagMs: 0 });
  const call = await login(cloud);
  cloud.setOnline(sid, false);
  const back = cloud.whenOnline(sid);
  await call('POST', isolation);
  expect((await call('GET', `/v1/${sid}`)).body).toMatchObject({ is_online: false, online: {} });
  expect(cloud.sensors()).toMatchObject([{ shouldIsolate: true, isolated: false }]);

  cloud.setOnline(sid, true);
  await back;
  await expect.poll(() => cloud.sensors()[0]?.isolated, patience).toBe(true);
});

test('going offline stops an isolation that had not been applied', async () => {
  await using cloud = await start({
    isolationLagMs: 1000,
    sensors: [
      { sid, hostname: 'a' },
      { sid: unknownSid, hostname: 'b' },
    ],
  });
  const call = await login(cloud);
  await call('POST', isolation);
  cloud.setOnline(sid, false);
  await call('POST', `/v1/${unknownSid}/isolation`); // its timer runs out after the first one's would have
  await expect.poll(() => cloud.sensors()[1]?.isolated, patience).toBe(true);
  expect(cloud.sensors()[0]).toMatchObject({ isolated: false, shouldIsolate: true });
});

test('an endpoint can drift from its wish', async () => {
  await using cloud = await start({ sensors: [{ sid, hostname: 'a', isolated: true, shouldIsolate: true }] });
  cloud.setIsolated(sid, false);
  expect((await (await login(cloud))('GET', isolation)).body).toEqual({ is_isolated: false, should_isolate: true });
});

test('answers the other calls in the documented shapes', async () => {
  await using cloud = await start();
  const call = await login(cloud);
  expect((await call('GET', '/v1/who')).body).toMatchObject({
    orgs: [oid],
    perms: expect.arrayContaining(['sensor.task']),
  });
  expect((await call('GET', `/v1/${sid}`)).body).toMatchObject({
    info: {
      oid,
      sid,
      plat: 268435456,
      hostname: 'workstation-01',
      enroll: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:/),
    },
    is_online: true,
  });
  expect(await call('POST', `/v1/${sid}`, [['tasks', 'netstat']])).toMatchObject({ status: 200, body: {} });
  for (const [method, path] of [
    ['GET', ''],
    ['POST', ''],
    ['POST', '/isolation'],
    ['DELETE', '/isolation'],
  ] as const) {
    const answer = await call(method, `/v1/${unknownSid}${path}`);
    expect(answer).toMatchObject({ status: 404, body: { error: 'sensor not found' } });
  }
  expect(cloud.calls.isolation).toEqual([]);

  const both: [string, string][] = [
    ['sids', sid],
    ['sids', unknownSid],
  ];
  expect((await call('POST', `/v1/online/${oid}`, both)).body).toEqual({ [sid]: true, [unknownSid]: false });
  expect((await call('POST', `/v1/online/${oid}`, [['sids', sid]])).body).toEqual({ [sid]: true });

  const listed = z.object({ sensors: z.string(), continuation_token: z.literal('') });
  const { sensors } = listed.parse((await call('GET', `/v1/sensors/${oid}?is_compressed=true`)).body);
  expect(unzip(sensors)).toMatchObject([{ sid, hostname: 'workstation-01' }]);
  expect((await call('GET', `/v1/sensors/${oid}?selector=plat == windows`)).status).toBe(400);
  expect((await call('GET', `/v1/sensors/${unknownSid}`)).status).toBe(401);
});

test('a list of sensors comes in pages', async () => {
  const sensors = [sid, unknownSid].map((sid, index) => ({ sid, hostname: `host-${index}`, online: index === 0 }));
  await using cloud = await start({ sensors });
  const call = await login(cloud);
  expect((await call('GET', `/v1/sensors/${oid}?limit=1`)).body).toMatchObject({
    sensors: [{ sid }],
    continuation_token: '1',
  });
  const second = await call('GET', `/v1/sensors/${oid}?limit=1&continuation_token=1`);
  expect(second.body).toMatchObject({ sensors: [{ sid: unknownSid }], continuation_token: '' });
  expect((await call('GET', `/v1/sensors/${oid}?is_online_only=true`)).body).toMatchObject({ sensors: [{ sid }] });
});

test('a client that sends JSON is told so', async () => {
  await using cloud = await start();
  const headers = { 'content-type': 'application/json' };
  expect((await send(cloud.jwtUrl, { method: 'POST', headers, body: '{}' })).status).toBe(415);
});

test('a fault hits as many calls as it was set for', async () => {
  await using cloud = await start();
  const call = await login(cloud);
  const status = async (): Promise<number> => (await call('GET', isolation)).status;

  for (const kind of ['401', '403', '500', '504'] as const) {
    cloud.faults.set(kind, 2);
    expect([await status(), await status(), await status()]).toEqual([Number(kind), Number(kind), 200]);
  }

  cloud.faults.set('429', undefined, { periodSeconds: 3 });
  const limited = await call('GET', isolation);
  expect(limited.status).toBe(429);
  expect(limited.headers.get('x-ratelimit-quota')).toBe('100');
  expect(limited.headers.get('x-ratelimit-period')).toBe('3');
  expect(await status()).toBe(429);
  cloud.faults.clear();
  expect(await status()).toBe(200);
});

test('a fault may be meant for one route only', async () => {
  await using cloud = await start();
  const call = await login(cloud);
  cloud.faults.set('500', undefined, { route: 'POST /v1/:sid/isolation' });
  expect((await call('GET', isolation)).status).toBe(200);
  expect((await call('POST', isolation)).status).toBe(500);
  expect(cloud.calls.isolation).toEqual([]);

  cloud.faults.set('500', 1, { route: 'POST /jwt' });
  expect((await exchange(cloud, { oid, secret: apiKey })).status).toBe(500);
  expect((await exchange(cloud, { oid, secret: apiKey })).status).toBe(200);
});

test('a connection is dropped before or after the call was carried out', async () => {
  await using cloud = await start();
  const call = await login(cloud);
  cloud.faults.set('dropped', 1);
  await expect(call('POST', isolation)).rejects.toThrow('fetch failed');
  expect(cloud.sensors()).toMatchObject([{ shouldIsolate: false }]);

  cloud.faults.set('answer-lost', 1);
  await expect(call('POST', isolation)).rejects.toThrow('fetch failed');
  expect(cloud.sensors()).toMatchObject([{ shouldIsolate: true }]);
});

test('a slow answer comes late, and may be an error too', async () => {
  await using cloud = await start();
  const call = await login(cloud);
  cloud.faults.set('slow', 1, { delayMs: 100 });
  cloud.faults.set('504', 1);
  const before = performance.now();
  expect((await call('GET', isolation)).status).toBe(504);
  expect(performance.now() - before).toBeGreaterThan(90);
});

test('the history holds each detection once, by time, in pages', async () => {
  await using cloud = await start();
  const call = await login(cloud);
  for (const seconds of [10, 20, 30, 30, 40]) {
    await cloud.raise({ cat: 'a', detect_id: `at-${seconds}`, gen_time: seconds * 1000 + 500 });
  }
  const page = async (cursor: string): Promise<unknown> => {
    const path = `/v1/insight/${oid}/detections?start=20&end=40&limit=2&is_compressed=true&cursor=${cursor}`;
    const { detects, next_cursor } = z
      .object({ detects: z.string(), next_cursor: z.string() })
      .parse((await call('GET', path)).body);
    return [unzip(detects), next_cursor];
  };
  expect(await page('-')).toMatchObject([[{ detect_id: 'at-20', ts: 20_000 }, { detect_id: 'at-30' }], '3']);
  expect(await page('3')).toMatchObject([[{ detect_id: 'at-40' }], '']);
  expect((await call('GET', `/v1/insight/${oid}/detections`)).status).toBe(400);
  expect((await call('GET', `/v1/insight/${oid}/detections/at-20`)).body).toMatchObject({ detect_id: 'at-20' });
  expect((await call('GET', `/v1/insight/${oid}/detections/none`)).status).toBe(404);
});
