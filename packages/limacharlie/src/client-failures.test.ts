import { describe, expect, test } from 'vitest';
import { answering, failureOf, oid, replying, sid, startLab } from './client-lab.ts';
import { limaCharlie } from './client.ts';
import { EdrDenied, EdrRateLimited, EdrUnavailable } from './errors.ts';

const ISOLATE = 'POST /v1/:sid/isolation';

describe('trouble', () => {
  test.each(['500', '504', 'dropped', 'answer-lost'] as const)('%s is tried again inside the call', async (fault) => {
    await using lab = await startLab();
    lab.sandbox.faults.set(fault, 1);
    await lab.client.isolate(sid);
    expect(lab.sandbox.calls.counts[ISOLATE]).toBe(2);
    expect(lab.lines).toHaveLength(1);
  });

  test('that lasts is reported as such', async () => {
    await using lab = await startLab();
    lab.sandbox.faults.set('500');
    const error = await failureOf(lab.client.isolate(sid));
    expect(error).toBeInstanceOf(EdrUnavailable);
    expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('500: internal error') });
    expect(lab.sandbox.calls.counts[ISOLATE]).toBe(2);
  });

  test('a token exchange that fails is tried again too', async () => {
    await using lab = await startLab();
    lab.sandbox.faults.set('504', 1, { route: 'POST /jwt' });
    expect(await lab.client.isOnline(sid)).toBe(true);
  });

  test('an answer that comes too late is none', async () => {
    await using lab = await startLab({}, { timeoutMs: 100, attempts: 1 });
    lab.sandbox.faults.set('slow', 1, { delayMs: 3_000 });
    expect(await failureOf(lab.client.isolate(sid))).toBeInstanceOf(EdrUnavailable);
  });

  test('a rate limit is not slept off here', async () => {
    await using lab = await startLab();
    lab.sandbox.faults.set('429', 1, { periodSeconds: 17 });
    const error = await failureOf(lab.client.isolate(sid));
    expect(error).toBeInstanceOf(EdrRateLimited);
    expect(error).toMatchObject({ kind: 'rate-limited', retryAfterMs: 17_000 });
    expect(lab.sandbox.calls.counts[ISOLATE]).toBe(1);
  });

  test.each([
    [{ 'retry-after': '5' }, 5_000],
    [{ 'retry-after': 'soon' }, 60_000],
    [{}, 60_000],
    [{ 'x-ratelimit-period': '99999999' }, 3_600_000],
  ])('429 with %j waits %i ms', async (headers, retryAfterMs) => {
    await using server = await replying('{}', 429, headers);
    expect(await failureOf(server.client.isolationOf(sid))).toMatchObject({ retryAfterMs });
  });

  test('a missing permission is named', async () => {
    await using server = await replying('{"error":"unauthorized: missing privilege sensor.task"}', 403);
    const error = await failureOf(server.client.isolate(sid));
    expect(error).toBeInstanceOf(EdrDenied);
    expect(error).toMatchObject({ kind: 'denied', message: expect.stringContaining('missing privilege sensor.task') });
  });

  test.each([302, 400, 413, 422])('%i is final', async (status) => {
    await using server = await replying('no', status, { location: '/elsewhere' });
    expect(await failureOf(server.client.isolate(sid))).toMatchObject({ kind: 'rejected', status });
  });

  test('the page of a proxy is not taken for an answer', async () => {
    await using server = await replying('<html>sign in</html>');
    expect(await failureOf(server.client.isolate(sid))).toBeInstanceOf(EdrUnavailable);
  });

  test.each(['{"should_isolate":true}', '{"is_isolated":"yes","should_isolate":true}', '[]'])(
    '%s tells no isolation',
    async (reply) => {
      await using server = await replying(reply);
      expect(await failureOf(server.client.isolationOf(sid))).toMatchObject({ kind: 'rejected' });
    },
  );

  test('no server at all', async () => {
    const log = { warn: () => undefined };
    const apiUrl = 'http://127.0.0.1:9';
    const client = limaCharlie({ apiUrl, jwtUrl: apiUrl, oid, apiKey: 'key', attempts: 1, log });
    expect(await failureOf(client.isolate(sid))).toBeInstanceOf(EdrUnavailable);
  });
});

test('no error and no log line holds the key or a token', async () => {
  const seen = new Set<string>();
  // The worst server: it repeats what it was sent, in every status.
  let status = 200;
  await using server = await answering((request, response) => {
    const authorization = request.headers.authorization ?? '';
    seen.add(authorization.replace('Bearer ', ''));
    response.writeHead(status).end(JSON.stringify({ error: `${authorization} is not good`, jwt: authorization }));
  });
  const errors: unknown[] = [];
  for (status of [400, 401, 403, 429, 500]) errors.push(await failureOf(server.client.isolate(sid)));

  await using lab = await startLab();
  for (const fault of ['401', '403', '500', 'dropped'] as const) {
    lab.sandbox.faults.set(fault, 4);
    errors.push(await failureOf(lab.client.isolate(sid)));
    lab.sandbox.faults.clear();
  }
  const wrong = limaCharlie({
    apiUrl: lab.sandbox.apiUrl,
    jwtUrl: lab.sandbox.jwtUrl,
    oid,
    apiKey: 'wrong',
    log: { warn: () => undefined },
  });
  errors.push(await failureOf(wrong.isolate(sid)));

  const told = [...errors, ...lab.lines].map((item) => textOf(item)).join('\n');
  expect(errors.every((error) => error instanceof Error)).toBe(true);
  expect(seen).toEqual(new Set(['a.b.c']));
  for (const secret of ['a.b.c', lab.apiKey, 'eyJ', 'Bearer ey']) expect(told).not.toContain(secret);
});

/** Everything a logger could print of it: an error's message, stack, own fields and causes. */
function textOf(item: unknown): string {
  if (item instanceof Error) return [item.stack, JSON.stringify(item), textOf(item.cause)].join('\n');
  if (Array.isArray(item)) return item.map(textOf).join('\n');
  if (typeof item === 'object' && item !== null) return Object.values(item).map(textOf).join('\n');
  return String(item);
}
