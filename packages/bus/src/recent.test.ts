import { type DetectionRaised, encodeEvent, type Endpoint, subjectOf } from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import { ask } from '@cordon/incident';
import { anAsking } from '@cordon/incident/builders';
import { type Broker, startBroker } from '@cordon/sandbox';
import { jetstream } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Received } from './consume.ts';
import { type Bus, connectBus } from './index.ts';
import { recentEvents } from './recent.ts';

const log = pino({ level: 'silent' });
let broker: Broker;
let follower: Bus;
let other: Bus;

beforeAll(async () => {
  broker = await startBroker();
  follower = await connectBus({ url: broker.url, name: 'follower', log });
  other = await connectBus({ url: broker.url, name: 'other', log });
  await follower.followLog();
});
afterAll(async () => {
  await follower.close();
  await other.close();
  await broker[Symbol.asyncDispose]();
});

const Connections = z.object({ connections: z.array(z.object({ name: z.string(), in_msgs: z.number() })) });

/** How much the follower has asked the broker for. */
async function asked(): Promise<number> {
  const reply = await fetch(new URL('/connz', broker.monitorUrl));
  const { connections } = Connections.parse(await reply.json());
  return connections.find(({ name }) => name === 'follower')?.in_msgs ?? Number.NaN;
}
const detect = async (endpoint: Endpoint) => (await other.log.append(aDetectionRaised(aDetection({ endpoint })))).seq;
const countAt = async (endpoint: Endpoint, atLeast?: number) =>
  (await follower.log.load(endpoint, atLeast)).state.incident?.detectionCount;

test('what happens to a machine that was looked at is known without asking the broker', async () => {
  const endpoint = anEndpoint();
  expect(await countAt(endpoint, await detect(endpoint))).toBe(1);
  const before = await asked();
  for (let count = 2; count < 30; count++) expect(await countAt(endpoint, await detect(endpoint))).toBe(count);
  expect((await asked()) - before).toBeLessThan(5); // pulls of the follower, no look per event
});

test('what happens to a new machine is known without asking the broker', async () => {
  await follower.log.load(anEndpoint());
  const before = await asked();
  const endpoints = Array.from({ length: 20 }, () => anEndpoint());
  for (const endpoint of endpoints) expect(await countAt(endpoint, await detect(endpoint))).toBe(1);
  expect((await asked()) - before).toBeLessThan(5);
  for (const endpoint of endpoints) {
    const { seq } = await other.log.load(endpoint);
    expect(await follower.log.load(endpoint, seq)).toEqual(await other.log.load(endpoint));
  }
});

test('a machine is new only where nothing ever happened to it, whoever tells of it', async () => {
  const endpoint = anEndpoint();
  await detect(endpoint);
  await using late = await connectBus({ url: broker.url, name: 'late', log });
  await late.followLog();
  await using another = await connectBus({ url: broker.url, name: 'another', log });
  const { seq } = await another.log.append(aDetectionRaised(aDetection({ endpoint })));
  expect((await late.log.load(endpoint, seq)).state.incident?.detectionCount).toBe(2);
  const repeated = aDetectionRaised(aDetection({ endpoint: anEndpoint() }));
  expect(await another.log.append(repeated)).toMatchObject({ duplicate: false });
  await using later = await connectBus({ url: broker.url, name: 'later', log });
  expect(await later.log.append(repeated)).toMatchObject({ duplicate: true });
});

test('a look without a place in the log is a look into the log', async () => {
  const endpoint = anEndpoint();
  await countAt(endpoint, await detect(endpoint));
  const before = await asked();
  for (let count = 2; count < 20; count++) {
    await detect(endpoint);
    expect(await countAt(endpoint)).toBe(count);
  }
  expect((await asked()) - before).toBeGreaterThanOrEqual(18);
});

test('looks in between lose and double nothing', async () => {
  const endpoints = [anEndpoint(), anEndpoint(), anEndpoint()];
  await Promise.all(
    endpoints.map(async (endpoint, index) => {
      for (let count = 1; count <= 40; count++) {
        const seq = await detect(endpoint);
        if ((count + index) % 3 === 0) await follower.log.load(endpoint, seq);
        if (count % 7 === 0) await follower.log.load(endpoint);
      }
      await other.log.transact(endpoint, (state) => ask(state, () => anAsking(), new Date()));
    }),
  );
  for (const endpoint of endpoints) {
    const whole = await other.log.load(endpoint);
    expect(await follower.log.load(endpoint, whole.seq)).toEqual(whole);
  }
});

test('what happened before somebody began to follow is in the log', async () => {
  const endpoint = anEndpoint();
  for (let count = 1; count < 6; count++) await detect(endpoint);
  await using late = await connectBus({ url: broker.url, name: 'late', log });
  await late.followLog();
  const another = anEndpoint(); // so that something is recent
  for (let count = 1; count < 4; count++) await late.log.load(another, await detect(another));
  const seq = await detect(endpoint);
  expect((await late.log.load(endpoint, seq)).state.incident?.detectionCount).toBe(6);
});

const connected = () => [follower, other].map((bus) => bus.isConnected());

test('a broker that was away leaves no gap', async () => {
  const [known, fresh] = [anEndpoint(), anEndpoint()];
  await countAt(known, await detect(known));
  await broker.kill();
  await expect.poll(connected).toEqual([false, false]);
  await broker.restart();
  await expect.poll(connected).toEqual([true, true]);
  for (let count = 2; count < 6; count++) expect(await countAt(known, await detect(known))).toBe(count);
  await detect(fresh);
  expect(await countAt(fresh, await detect(fresh))).toBe(2);
});

test('the row goes on with what a consumer was delivered sooner, once', async () => {
  const connection = await connect({ servers: broker.url });
  const recent = recentEvents(jetstream(connection), log);
  const heard: string[] = [];
  recent.listen((_key, { event }) => void heard.push(event?.id ?? ''));
  await recent.follow();
  const seq = await detect(anEndpoint());
  await expect.poll(() => recent.reached(seq)).toBe(true);

  const next = aDetectionRaised(aDetection({ endpoint: anEndpoint() }));
  const afterNext = aDetectionRaised(aDetection({ endpoint: anEndpoint() }));
  expect(recent.read(asDelivered(afterNext, seq + 2)).id).toBe(afterNext.id);
  expect(heard).toHaveLength(1); // what lies between may concern anybody
  expect(recent.read(asDelivered(next, seq + 1)).id).toBe(next.id);
  expect(heard.slice(1)).toEqual([next.id]);
  expect(await recent.reached(seq + 1)).toBe(true);

  await other.log.append(next);
  const { seq: last } = await other.log.append(afterNext);
  await expect.poll(() => recent.reached(last)).toBe(true);
  expect(heard.slice(1)).toEqual([next.id, afterNext.id]);
  recent.stop();
  await connection.close();
});

function asDelivered(event: DetectionRaised, seq: number): Received {
  const { headers: values, payload } = encodeEvent(event);
  const header = headers();
  for (const [name, value] of Object.entries(values)) header.set(name, value);
  return {
    seq,
    subject: subjectOf(event, event.type),
    header,
    data: Buffer.from(payload),
    string: () => payload,
    json: () => JSON.parse(payload),
  };
}
