import { randomUUID } from 'node:crypto';
import { ApprovalRequested, type CordonEvent, type Endpoint, eventId, subjectOf } from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import { ask, decide } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { type Broker, startBroker } from '@cordon/sandbox';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bus, connectBus, CONSUMERS, DeadLetter, PermanentError, RetryLaterError } from './index.ts';
import { ensureConsumer } from './topology.ts';

const log = pino({ level: 'silent' });
let broker: Broker;
let bus: Bus;

beforeAll(async () => {
  broker = await startBroker();
  bus = await connectBus({ url: broker.url, name: 'test', log });
});
afterAll(async () => {
  await bus.close();
  await broker[Symbol.asyncDispose]();
});

const person = (subject: string) => ({ issuer: 'https://id.example.com', subject, name: subject });

test('the same event appended twice is stored once', async () => {
  const event = aDetectionRaised();
  expect(await bus.log.append(event)).toMatchObject({ duplicate: false });
  expect(await bus.log.append(event)).toMatchObject({ duplicate: true });
  const { state } = await bus.log.load(event);
  expect(state.incident?.detectionCount).toBe(1);
});

test('a detection is found again however long ago it was stored', async () => {
  const event = aDetectionRaised();
  const longAgo = new Date(Date.now() - 90 * 86_400_000);
  expect(await bus.log.hasDetection(event, event.id, longAgo)).toBe(false);
  await bus.log.append(event);
  await bus.log.append(aDetectionRaised(aDetection({ endpoint: event })));
  expect(await bus.log.hasDetection(event, event.id, longAgo)).toBe(true);
  expect(await bus.log.hasDetection(anEndpoint(), event.id, longAgo)).toBe(false);
});

test('of many who decide at once exactly one wins, and the others learn who', async () => {
  for (let round = 0; round < 5; round++) {
    const event = aDetectionRaised();
    await bus.log.append(event);
    await bus.log.transact(event, (state) => ask(state, () => anAsking(), new Date()));
    const results = await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        bus.log.transact(event, (state) => {
          const outcome = index % 2 ? ('isolate' as const) : ('leave' as const);
          const answer = anAnswer(state.incident, { outcome, person: person(`p${index}`) });
          return decide(state, answer, someTerms(), new Date());
        }),
      ),
    );
    const won = results.filter((result) => 'events' in result);
    expect(won).toHaveLength(1);
    const [winner] = won;
    const decidedBy =
      winner && 'events' in winner && winner.events[0]?.type === 'approval.decided'
        ? winner.events[0].data.decidedBy
        : undefined;
    const refusals = results.flatMap((result) => ('refused' in result ? [result.refused] : []));
    const told = { because: 'already_decided', incident: { decision: { decidedBy } } };
    expect(refusals).toMatchObject(Array.from({ length: 19 }, () => told));
  }
});

test('two detections handled at once ask once', async () => {
  const first = aDetectionRaised();
  await bus.log.append(first);
  await bus.log.append(aDetectionRaised(aDetection({ endpoint: first })));
  await Promise.all(
    Array.from({ length: 10 }, () => bus.log.transact(first, (state) => ask(state, () => anAsking(), new Date()))),
  );
  expect((await bus.log.load(first)).state.incident).toMatchObject({
    status: 'asked',
    detectionCount: 2,
    history: [{ type: 'detection.raised' }, { type: 'approval.requested' }],
  });
});

test('a kept snapshot changes nothing but the work, and an older one never replaces it', async () => {
  const first = aDetectionRaised();
  await bus.log.append(first);
  const early = await bus.log.load(first);
  await bus.log.transact(first, (state) => ask(state, () => anAsking(), new Date()));
  const late = await bus.log.load(first);
  await bus.log.keep(late);
  await bus.log.keep(early);
  await bus.log.append(aDetectionRaised(aDetection({ endpoint: first })));
  const folded = await bus.log.load(first);
  expect(folded.state.incident).toMatchObject({ status: 'asked', detectionCount: 2 });
  expect(await bus.log.findIncident(folded.state.incident?.id ?? '')).toMatchObject({ status: 'asked' });
  expect(await bus.log.findIncident('../endpoint')).toBeUndefined();
});

test('a view goes on where it ended: what others append meanwhile is in it', async () => {
  await using other = await connectBus({ url: broker.url, name: 'other', log });
  const first = aDetectionRaised();
  await bus.log.append(first);
  for (let count = 1; count < 5; count++) {
    expect((await bus.log.load(first)).state.incident?.detectionCount).toBe(count);
    await other.log.append(aDetectionRaised(aDetection({ endpoint: first })));
  }
  await other.log.transact(first, (state) => ask(state, () => anAsking(), new Date()));
  await bus.log.transact(first, (state) => ask(state, () => anAsking(), new Date())); // nothing more to ask
  expect(await bus.log.load(first)).toEqual(await other.log.load(first));
});

test('an incident that was replaced can still be found as it ended', async () => {
  const first = aDetectionRaised();
  await bus.log.append(first);
  await bus.log.transact(first, (state) => ask(state, () => anAsking(), new Date()));
  await bus.log.transact(first, (state) => {
    return decide(state, anAnswer(state.incident, { outcome: 'leave' }), someTerms(), new Date());
  });
  await bus.log.append(aDetectionRaised(aDetection({ endpoint: first, commandLine: 'something else' })));
  const view = await bus.log.load(first);
  await bus.log.keep(view); // one snapshot over both incidents
  expect(view.replaced).toHaveLength(1);
  expect(await bus.log.findIncident(view.replaced[0]?.id ?? '')).toMatchObject({ status: 'left' });
});

test('every incident and every change is told to a watcher', async () => {
  const told = new Map<string, string>();
  const watch = await bus.log.watchIncidents((incident) => told.set(incident.endpointId, incident.status));
  const event = aDetectionRaised();
  await bus.log.append(event);
  await bus.log.keep(await bus.log.load(event));
  await expect.poll(() => told.get(event.endpointId)).toBe('new');
  await bus.log.transact(event, (state) => ask(state, () => anAsking(), new Date()));
  await bus.log.keep(await bus.log.load(event));
  await expect.poll(() => told.get(event.endpointId)).toBe('asked');
  watch.stop();
  expect(await watch.done).toBeUndefined();
});

test('a deadline is delivered when due, also when it was armed twice, and at once when it is past', async () => {
  const due: string[] = [];
  const consumption = await bus.consumeDeadlines(CONSUMERS.expire, async ({ incidentId }) => void due.push(incidentId));
  const [past, soon] = [randomUUID(), randomUUID()];
  const at = new Date(Date.now() + 1000);
  await bus.arm('approval', { ...anEndpoint(), incidentId: past }, new Date(Date.now() - 60_000));
  const endpoint = anEndpoint();
  await bus.arm('approval', { ...endpoint, incidentId: soon }, at);
  await bus.arm('approval', { ...endpoint, incidentId: soon }, at);
  await expect.poll(() => due, { timeout: 10_000 }).toEqual([past, soon]);
  expect(Date.now()).toBeGreaterThanOrEqual(at.getTime());
  await consumption.stop();
});

/** A consumer of its own, so that tests do not take each other's messages. */
async function consumerFor(endpoint: Endpoint, filters = [subjectOf(endpoint, '>')]) {
  const connection = await connect({ servers: broker.url });
  const jsm = await jetstreamManager(connection);
  const spec = {
    name: `test-${randomUUID()}`,
    stream: 'CORDON_EVENTS',
    filters,
    concurrency: 4,
    maxAckPending: 100,
  };
  await ensureConsumer(jsm, spec);
  return {
    spec,
    pending: async () => {
      const info = await jsm.consumers.info(spec.stream, spec.name);
      return info.num_pending + info.num_ack_pending;
    },
    /** The place in the log up to which everything is acknowledged. */
    doneUpTo: async () => (await jsm.consumers.info(spec.stream, spec.name)).ack_floor.stream_seq,
    letters: async () => {
      const found: DeadLetter[] = [];
      const info = await jsm.streams.info('CORDON_DEAD_LETTERS', {
        subjects_filter: `cordon.dead.CORDON_EVENTS.${spec.name}`,
      });
      for (const subject of Object.keys(info.state.subjects ?? {})) {
        const message = await jsm.streams.getMessage('CORDON_DEAD_LETTERS', { last_by_subj: subject });
        if (message) found.push(DeadLetter.parse(message.json()));
      }
      return found;
    },
    raw: (payload: string) => jetstream(connection).publish(subjectOf(endpoint, 'approval.requested'), payload),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

const aQuestion = (endpoint: Endpoint): CordonEvent =>
  ApprovalRequested.create({
    id: eventId('test', randomUUID()),
    source: '/test',
    at: new Date(),
    endpoint,
    data: { incidentId: randomUUID(), expiresAt: new Date().toISOString(), votesNeeded: 1, why: 'a test' },
  });

test('a consumer of the log is given all, handles what concerns it, and leaves nothing of the rest', async () => {
  const [one, other] = [anEndpoint(), anEndpoint()];
  const filters = [subjectOf(one, 'detection.raised'), subjectOf(other, 'approval.>')];
  await using consumer = await consumerFor(one, filters);
  const wanted = [aDetectionRaised(aDetection({ endpoint: one })), aQuestion(other)];
  const rest = [aDetectionRaised(aDetection({ endpoint: other })), aQuestion(one), aDetectionRaised()];
  for (const event of [...wanted, ...rest]) await bus.log.append(event);
  const handled: string[] = [];
  const consumption = await bus.consumeEvents(consumer.spec, async (event) => void handled.push(event.id));
  await expect.poll(consumer.pending).toBe(0);
  expect(handled.toSorted()).toEqual(wanted.map(({ id }) => id).toSorted());
  await consumption.stop();
});

test('a failing handler is tried again, and the next message is handled meanwhile', async () => {
  const endpoint = anEndpoint();
  await using consumer = await consumerFor(endpoint);
  const [bad, good] = [aQuestion(endpoint), aQuestion(endpoint)];
  const seen: string[] = [];
  let failures = 2;
  const consumption = await bus.consumeEvents(consumer.spec, async (event) => {
    if (event.id === bad.id && failures-- > 0) throw new Error('a dependency is away');
    seen.push(event.id);
  });
  await bus.log.append(bad);
  await bus.log.append(good);
  await expect.poll(() => seen).toEqual([good.id, bad.id]);
  await consumption.stop();
  await expect.poll(consumer.pending).toBe(0);
  expect(await consumer.letters()).toEqual([]);
});

test('what can never work and what does not parse goes to the dead letters, and the next message is handled', async () => {
  const endpoint = anEndpoint();
  await using consumer = await consumerFor(endpoint);
  const handled: string[] = [];
  const consumption = await bus.consumeEvents(consumer.spec, async (event) => {
    if (event.id === refused.id) throw new PermanentError('this can never work');
    handled.push(event.id);
  });
  const [refused, good] = [aQuestion(endpoint), aQuestion(endpoint)];
  await bus.log.append(refused);
  await expect.poll(consumer.letters).toMatchObject([
    {
      reason: 'this can never work',
      subject: subjectOf(endpoint, 'approval.requested'),
      attempts: 1,
      consumer: consumer.spec.name,
    },
  ]);
  await consumer.raw('{"not":"an event"}');
  await bus.log.append(good);
  await expect.poll(() => handled).toEqual([good.id]);
  await expect
    .poll(async () => (await consumer.letters())[0]?.reason)
    .toMatch(/not a message this service understands/);
  await consumption.stop();
  await expect.poll(consumer.pending).toBe(0);
});

test('waiting is not failing: a message may come back any number of times', async () => {
  const endpoint = anEndpoint();
  await using consumer = await consumerFor(endpoint);
  let looks = 0;
  const consumption = await bus.consumeEvents(consumer.spec, async () => {
    if (++looks < 30) throw new RetryLaterError(10, 'not yet');
  });
  await bus.log.append(aQuestion(endpoint));
  await expect.poll(() => looks, { timeout: 10_000 }).toBe(30);
  await consumption.stop();
  await expect.poll(consumer.pending).toBe(0);
  expect(await consumer.letters()).toEqual([]);
});

test('a failure after a long wait is the first one, and tried again', async () => {
  const endpoint = anEndpoint();
  await using consumer = await consumerFor(endpoint);
  let looks = 0;
  const consumption = await bus.consumeEvents(consumer.spec, async () => {
    looks++;
    if (looks < 20) throw new RetryLaterError(10, 'not yet');
    if (looks === 20) throw new Error('a dependency is away');
  });
  await bus.log.append(aQuestion(endpoint));
  await expect.poll(() => looks, { timeout: 10_000 }).toBe(21);
  await consumption.stop();
  await expect.poll(consumer.pending).toBe(0);
  expect(await consumer.letters()).toEqual([]);
});

test('stopping finishes the message in hand and hands back the rest', async () => {
  const endpoint = anEndpoint();
  await using consumer = await consumerFor(endpoint);
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const finished: string[] = [];
  const consumption = await bus.consumeEvents({ ...consumer.spec, concurrency: 1 }, async (event) => {
    started.resolve();
    await release.promise;
    finished.push(event.id);
  });
  const events = [aQuestion(endpoint), aQuestion(endpoint), aQuestion(endpoint)];
  for (const event of events) await bus.log.append(event);
  await started.promise;
  const stopped = consumption.stop();
  release.resolve();
  await stopped;
  expect(finished).toEqual([events[0]?.id]);
  await expect.poll(consumer.pending).toBe(2);

  const next = await bus.consumeEvents(consumer.spec, async (event) => void finished.push(event.id));
  await expect.poll(() => finished.toSorted()).toEqual(events.map((event) => event.id).toSorted());
  await next.stop();
});

test('what happens right after a stop is there for the next one at once', async () => {
  const endpoint = anEndpoint();
  await using consumer = await consumerFor(endpoint);
  await using client = await connectBus({ url: broker.url, name: 'stopping', log });
  const handled = new Set<string>();
  const begin = () => client.consumeEvents(consumer.spec, async (event) => void handled.add(event.id));
  for (let round = 0; round < 20; round++) {
    const [before, after] = [aQuestion(endpoint), aQuestion(endpoint)];
    const consumption = await begin();
    await bus.log.append(before);
    await expect.poll(() => handled.has(before.id), { interval: 2 }).toBe(true);
    await consumption.stop();
    await bus.log.append(after);
    const next = await begin();
    await expect.poll(() => handled.has(after.id), { interval: 2, timeout: 5000 }).toBe(true);
    await next.stop();
  }
});

test('a bus that is closed lets what is in hand finish, and tell the broker of it', async () => {
  const endpoint = anEndpoint();
  await using consumer = await consumerFor(endpoint);
  const client = await connectBus({ url: broker.url, name: 'closing', log });
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const outcome = aDetectionRaised();
  await client.consumeEvents(consumer.spec, async () => {
    started.resolve();
    await release.promise;
    await client.log.append(outcome);
  });
  const { seq } = await client.log.append(aQuestion(endpoint));
  await started.promise;
  const closed = client.close();
  release.resolve();
  await closed;
  expect((await bus.log.load(outcome)).state.incident).toBeDefined();
  await expect.poll(consumer.doneUpTo).toBe(seq);
});

test('a broker that is silent while a service starts to consume is asked again', async () => {
  await using mortal = await startBroker();
  const lines: string[] = [];
  const logging = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  await using client = await connectBus({ url: mortal.url, name: 'patient', log: logging });
  const event = aDetectionRaised();
  await client.log.append(event);
  const handled: string[] = [];
  process.kill(mortal.pid ?? 0, 'SIGSTOP');
  const consumption = client.consumeEvents(CONSUMERS.ask, async (one) => void handled.push(one.id));
  await expect.poll(() => lines.join('')).toContain('broker not ready');
  process.kill(mortal.pid ?? 0, 'SIGCONT');
  await consumption;
  await expect.poll(() => handled).toEqual([event.id]);
});

test('a broker that is killed and comes back loses nothing, and appends meanwhile wait for it', async () => {
  await using mortal = await startBroker();
  await using client = await connectBus({ url: mortal.url, name: 'mortal', log });
  const before = aDetectionRaised();
  await client.log.append(before);
  const handled: string[] = [];
  const consumption = await client.consumeEvents(CONSUMERS.ask, async (event) => void handled.push(event.id));
  await expect.poll(() => handled).toContain(before.id);

  await mortal.kill();
  await expect.poll(() => client.isConnected()).toBe(false);
  const after = aDetectionRaised();
  const appended = client.log.append(after);
  await mortal.restart();
  expect(await appended).toMatchObject({ duplicate: false });
  await expect.poll(() => handled, { timeout: 20_000 }).toContain(after.id);
  expect((await client.log.load(before)).state.incident).toBeDefined();
  await consumption.stop();
});

test('without a broker an append fails in time instead of waiting for ever', async () => {
  await using mortal = await startBroker();
  await using client = await connectBus({ url: mortal.url, name: 'mortal', log });
  await mortal.kill();
  await expect(client.log.append(aDetectionRaised())).rejects.toMatchObject({ name: 'BrokerUnavailableError' });
  await mortal.restart();
});
