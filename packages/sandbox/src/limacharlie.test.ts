import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  isolation,
  login,
  oid,
  patience,
  send,
  sid,
  start,
  unknownSid,
  type Answer,
} from './limacharlie-test-client.ts';

/** Receives webhooks, and answers with a status of the test's choice. */
async function startReceiver() {
  const received: { signature: unknown; type: unknown; body: string }[] = [];
  const answer = { status: 200 };
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    received.push({
      signature: request.headers['lc-signature'],
      type: request.headers['content-type'],
      body: await text(request),
    });
    response.writeHead(answer.status).end();
  };
  const server = createServer((request, response) => void receive(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = z.object({ port: z.number() }).parse(server.address());
  return {
    webhook: { url: `http://127.0.0.1:${port}/webhooks/limacharlie`, secret: 'a secret' },
    received,
    answer,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

const sign = (message: string): string => createHmac('sha256', 'a secret').update(message).digest('hex');

test('a detection is posted as JSON or as a form, signed over the JSON text', async () => {
  await using receiver = await startReceiver();
  await using cloud = await start({ webhook: receiver.webhook });
  const detection = { cat: 'ünïcode & =', detect_id: 'one' };
  expect(await cloud.raise(detection)).toEqual({ delivered: true, status: 200 });
  cloud.setWebhook({ ...receiver.webhook, body: 'form' });
  await cloud.raise(detection);

  const json = JSON.stringify(detection);
  expect(receiver.received).toEqual([
    { type: 'application/json', signature: sign(json), body: json },
    {
      type: 'application/x-www-form-urlencoded',
      signature: sign(json),
      body: new URLSearchParams({ data: json }).toString(),
    },
  ]);
});

test('a failure pauses the output, and what falls into the pause is only in the API', async () => {
  await using receiver = await startReceiver();
  await using cloud = await start({ webhook: receiver.webhook, pauseMs: 1000 });
  receiver.answer.status = 503;
  expect(await cloud.raise({ detect_id: 'failed' })).toEqual({ delivered: false, reason: 'failed', status: 503 });
  receiver.answer.status = 202;
  expect(await cloud.raise({ detect_id: 'paused' })).toEqual({ delivered: false, reason: 'paused' });
  await expect.poll(() => cloud.isOutputPaused(), patience).toBe(false);
  expect(await cloud.raise({ detect_id: 'after' })).toEqual({ delivered: true, status: 202 });
  expect(receiver.received.map(({ body }) => body)).toEqual(['{"detect_id":"failed"}', '{"detect_id":"after"}']);

  const call = await login(cloud);
  const now = Math.floor(Date.now() / 1000);
  const answer = await call('GET', `/v1/insight/${oid}/detections?start=${now - 60}&end=${now}&cursor=-`);
  expect(answer.body).toMatchObject({
    detects: [{ detect_id: 'failed' }, { detect_id: 'paused' }, { detect_id: 'after' }],
  });
});

test('saving the configuration again ends the pause', async () => {
  await using receiver = await startReceiver();
  await using cloud = await start({ webhook: { ...receiver.webhook, url: 'http://127.0.0.1:1/' }, pauseMs: 3_600_000 });
  expect(await cloud.raise({})).toMatchObject({ delivered: false, reason: 'failed', error: expect.any(String) });
  cloud.setWebhook(receiver.webhook);
  expect(await cloud.raise({})).toMatchObject({ delivered: true });
});

test('a detection named with two underscores stays inside', async () => {
  await using receiver = await startReceiver();
  await using cloud = await start({ webhook: receiver.webhook });
  expect(await cloud.raise({ cat: '__internal' })).toEqual({ delivered: false, reason: 'not published' });
  expect(receiver.received).toEqual([]);
});

test('sensors, isolation, tokens and detections survive a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cordon-'));
  const stateFile = join(folder, 'limacharlie.json');
  const before = await start({ stateFile, isolationLagMs: 60_000 });
  const call = await login(before);
  await call('POST', isolation);
  await before.raise({ detect_id: 'one' });
  const { port } = new URL(before.apiUrl);
  await before.close();

  await using after = await start({ stateFile, port: Number(port), isolationLagMs: 0 });
  await expect.poll(() => after.sensors(), patience).toMatchObject([{ sid, shouldIsolate: true, isolated: true }]);
  expect((await call('GET', `/v1/insight/${oid}/detections/one`)).status).toBe(200);
  await rm(folder, { recursive: true });
});

test('everything can be controlled from another process', async () => {
  await using receiver = await startReceiver();
  await using cloud = await start();
  const control = (path: string, body: unknown): Promise<Answer> =>
    send(`${cloud.apiUrl}/_control/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  await control('webhook', receiver.webhook);
  expect((await control('raise', { detect_id: 'one' })).body).toEqual({ delivered: true, status: 200 });
  await control('online', { sid, online: false });
  await control('isolated', { sid, isolated: true });
  await control('faults', { kind: '500', count: 2, route: 'GET /v1/who' });
  expect((await send(`${cloud.apiUrl}/_control/state`, {})).body).toMatchObject({
    sensors: [{ sid, online: false, isolated: true }],
    faults: [{ kind: '500', left: 2, route: 'GET /v1/who' }],
    calls: { isolation: [], counts: {} },
    paused: false,
  });
  await control('faults/clear', {});
  expect((await (await login(cloud))('GET', '/v1/who')).status).toBe(200);

  expect((await control('faults', { kind: 'flood' })).status).toBe(400);
  expect((await control('online', { sid: unknownSid, online: true })).status).toBe(500);
});
