import { randomUUID } from 'node:crypto';
import { type Bus, connectBus, CONSUMERS, type Consumption, DeadLetter, RetryLaterError } from '@cordon/bus';
import type { Endpoint, StoredEvent } from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import { decide, type Incident } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { type Broker, startBroker } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { actOnDeadline, armOnNews, askOnNews, keepSnapshots, reportForgeries } from './handler.ts';
import { privateKey, publicKey } from './page-lab.ts';
import { signedLog } from './signed-log.ts';

const log = createLogger('approval', 'silent');
const context = { log, redelivered: false };
type Asked = Parameters<typeof anAsking>[0];
const SHORT = { expiryMs: 400 };
const signed = (parts: Bus): Bus => ({ ...parts, log: signedLog(parts.log, privateKey, [publicKey]) });
const askWith = (parts: Bus, asked: Asked = {}) => askOnNews(signed(parts), () => anAsking(asked));

let broker: Broker;
let bus: Bus;
beforeEach(async () => {
  broker = await startBroker();
  bus = await connectBus({ url: broker.url, name: 'approval', log });
});
const running: Consumption[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((consumption) => consumption.stop()));
  await bus.close();
  await broker[Symbol.asyncDispose]();
});

async function run(asked: Asked = {}, over: Partial<Bus> = {}): Promise<void> {
  const parts: Bus = { ...bus, ...over };
  running.push(
    await bus.consumeEvents(CONSUMERS.ask, askWith(parts, asked)),
    await bus.consumeEvents(CONSUMERS.arm, reportForgeries(armOnNews(parts), [publicKey])),
    await bus.consumeDeadlines(CONSUMERS.expire, actOnDeadline(signed(parts), someTerms)),
    await bus.consumeEvents(CONSUMERS.snapshot, keepSnapshots(parts)),
  );
}

async function detect(detection = aDetection()): Promise<StoredEvent> {
  const raised = aDetectionRaised(detection);
  const { seq } = await bus.log.append(raised);
  return { ...raised, seq };
}

const incidentOf = async (event: Endpoint): Promise<Incident> => {
  const { incident } = (await bus.log.load(event)).state;
  if (!incident) throw new Error('no incident');
  return incident;
};
const historyOf = async (event: StoredEvent): Promise<string[]> =>
  (await incidentOf(event)).history.map((moment) => moment.type);
const statusOf = async (event: StoredEvent): Promise<string> => (await incidentOf(event)).status;

test('a detection is asked about, and its incident can be found by its id', async () => {
  await run();
  const event = await detect();
  await expect.poll(() => statusOf(event)).toBe('asked');
  const { id, question } = await incidentOf(event);
  expect(Date.parse(question?.expiresAt ?? '') - Date.now()).toBeGreaterThan(50_000);
  await expect.poll(async () => (await bus.log.findIncident(id))?.status).toBe('asked');
});

test('what happens to a machine at once is kept at once', async () => {
  const endpoint = anEndpoint();
  const events = [await detect(aDetection({ endpoint }))];
  for (let count = 1; count < 20; count++) events.push(await detect(aDetection({ endpoint })));
  const keep = keepSnapshots(bus);
  await Promise.all(events.map((event) => keep(event, context)));
  const state = await bus.bucket('state');
  expect(await bus.log.findIncident((await incidentOf(events[0] ?? endpoint)).id)).toMatchObject({
    detectionCount: 20,
  });
  expect((await state.status()).values).toBe(2); // the machine and its incident, each written once
  expect((await state.get(`endpoint.${endpoint.tenantId}.${endpoint.endpointId}`))?.revision).toBe(2);
});

test('two detections of one run, and each delivered twice, ask once', async () => {
  const endpoint = anEndpoint();
  const [first, second] = [
    await detect(aDetection({ endpoint })),
    await detect(aDetection({ endpoint, commandLine: 'another' })),
  ];
  await Promise.all([first, second, first, second].map((event) => askWith(bus)(event, context)));
  await run(); // and once more, as after a crash before the acknowledgement
  const last = await detect();
  await expect.poll(() => statusOf(last)).toBe('asked');
  expect((await historyOf(first)).filter((type) => type === 'approval.requested')).toHaveLength(1);
  expect((await incidentOf(first)).detectionCount).toBe(2);
});

test('what is no event is kept as a dead letter with its reason, and holds nobody up', async () => {
  const letters: DeadLetter[] = [];
  running.push(await bus.consumeAside(CONSUMERS.dead, DeadLetter, async (letter) => void letters.push(letter)));
  await run();
  const poison = await detect({ ...aDetection(), uid: `not a digest ${randomUUID()}` });
  const good = await detect();
  await expect.poll(() => statusOf(good)).toBe('asked');
  await expect
    .poll(() => letters.map((letter) => letter.consumer).toSorted())
    .toEqual(['approval-ask', 'approval-snapshot']);
  expect(letters[0]).toMatchObject({ seq: poison.seq, attempts: 1 });
  expect(letters[0]?.reason).toContain('not a message this service understands');
});

test('a timer that cannot be set is set when it can', async () => {
  let failures = 0;
  const arm: Bus['arm'] = async (...deadline) => {
    if (failures++ < 2) throw new Error('not now');
    await bus.arm(...deadline);
  };
  await run(SHORT, { arm });
  const event = await detect();
  await expect.poll(() => statusOf(event)).toBe('expired');
  expect(failures).toBe(4); // the two that failed, and both of its timers
});

test('a broker that is killed loses neither question nor deadline', { timeout: 60_000 }, async () => {
  await run({ expiryMs: 2000 });
  const event = await detect();
  await expect.poll(() => statusOf(event)).toBe('asked');
  await broker.kill();
  await broker.restart();
  await expect.poll(() => statusOf(event), { timeout: 30_000 }).toBe('expired');
  const later = await detect();
  await expect.poll(() => statusOf(later), { timeout: 30_000 }).toBe('asked');
});

test('a message in hand is finished before the stop, and does not come back', async () => {
  const asked: string[] = [];
  const [taken, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow = await bus.consumeEvents(CONSUMERS.ask, async (event, given) => {
    asked.push(event.id);
    taken.resolve();
    await gate.promise;
    await askWith(bus)(event, given);
  });
  const event = await detect();
  await taken.promise;
  const stopped = slow.stop();
  gate.resolve();
  await stopped;
  expect(await statusOf(event)).toBe('asked');

  running.push(await bus.consumeEvents(CONSUMERS.ask, async ({ id }) => void asked.push(id)));
  const next = await detect();
  await expect.poll(() => asked).toEqual([event.id, next.id]);
});

test('nobody answers: the question ends at its deadline, not before, and nothing is isolated', async () => {
  await run(SHORT);
  const event = await detect();
  await expect.poll(() => statusOf(event)).toBe('expired');
  const { question, decision } = await incidentOf(event);
  expect(decision).toMatchObject({ outcome: 'expired' });
  expect(decision?.decidedBy).toBeUndefined();
  expect(decision?.at ?? '').toSatisfy((at: string) => at >= (question?.expiresAt ?? 'x'));
  expect((await historyOf(event)).filter((type) => type.startsWith('isolation'))).toEqual([]);
});

test('a deadline changes nothing about what was decided, or another incident, and waits where it comes early', async () => {
  const event = await detect();
  await askWith(bus)(event, context);
  const incident = await incidentOf(event);
  const deadline = { tenantId: event.tenantId, endpointId: event.endpointId, incidentId: incident.id };
  const due = actOnDeadline(signed(bus), someTerms);
  await expect(due(deadline, context)).rejects.toThrow(RetryLaterError);
  await due({ ...deadline, incidentId: '0'.repeat(32) }, context);
  await due({ ...deadline, ...anEndpoint() }, context);

  const command = anAnswer(incident, { outcome: 'leave' });
  await bus.log.transact(event, (state) => decide(state, command, someTerms(), new Date()));
  await due(deadline, context);
  expect(await historyOf(event)).toEqual(['detection.raised', 'approval.requested', 'approval.decided']);
  expect(await statusOf(event)).toBe('left');
});

test('a deadline that passed while nobody was there to set it ends the question at once', async () => {
  const event = await detect();
  await askWith(bus, { expiryMs: -60_000 })(event, context);
  await run();
  await expect.poll(() => statusOf(event)).toBe('expired');
});
