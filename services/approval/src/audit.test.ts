import { createPublicKey } from 'node:crypto';
import { verifyLines, lineOf, nextRecord } from '@cordon/audit';
import { aKey } from '@cordon/audit/builders';
import { type Bus, connectBus, connectOperator, CONSUMERS } from '@cordon/bus';
import { type CordonEvent, eventId, type StoredEvent, IsolationConfirmed, NotificationSent } from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import { startBroker } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { auditKeeper, keepSealing } from './audit.ts';

const log = createLogger('test', 'silent');
const { key, publicKey } = aKey();

/** A broker of its own, a process that records on it, and what an operator would export. */
async function startLab() {
  const broker = await startBroker();
  const bus = await connectBus({ url: broker.url, name: 'test', log });
  const operator = await connectOperator({ url: broker.url, name: 'operator' });
  const connection = await connect({ servers: broker.url });
  const keeper = async (its = key, on: Bus = bus) => auditKeeper(on.audit, await on.bucket('bookmarks'), its);
  const lines = async (): Promise<string[]> => Array.fromAsync(operator.auditLines());
  const seal = async (): Promise<string> => (await operator.bucketValue('bookmarks', 'audit'))?.text ?? '';
  return {
    broker,
    bus,
    keeper,
    lines,
    jsm: await jetstreamManager(connection),
    publish: (subject: string, payload: string) => jetstream(connection).publish(subject, payload),
    async problems(keys = [publicKey]) {
      const checked = await Array.fromAsync(verifyLines([...(await lines()), await seal()], { keys }));
      return checked.flatMap(({ line, problem }) => (problem ? [`${line}: ${problem}`] : []));
    },
    /** Sequences of the events in the log that have a record, in the order of the records. */
    recorded: async () => (await lines()).map((line) => Number(/"seq":(\d+)/.exec(line)?.[1])),
    async append(...events: CordonEvent[]): Promise<StoredEvent[]> {
      const stored: StoredEvent[] = [];
      for (const event of events) stored.push({ ...event, seq: (await bus.log.append(event)).seq });
      return stored;
    },
    async [Symbol.asyncDispose]() {
      await operator[Symbol.asyncDispose]();
      await connection.close();
      await bus.close();
      await broker[Symbol.asyncDispose]();
    },
  };
}

function aConfirmation(endpoint = anEndpoint()): CordonEvent {
  const id = eventId('test', crypto.randomUUID());
  return IsolationConfirmed.create({ id, source: '/test', at: new Date(), endpoint, data: { incidentId: id } });
}
const several = (count: number): CordonEvent[] => Array.from({ length: count }, () => aConfirmation());
const context = { log, redelivered: false };

test('what concerns a decision is recorded in the order of the log, and nothing else', async () => {
  await using lab = await startLab();
  const { record, seal } = await lab.keeper();
  const consumption = await lab.bus.consumeEvents(CONSUMERS.audit, record);
  const detected = aDetectionRaised(aDetection());
  const told = NotificationSent.create({
    id: 'told',
    source: '/test',
    at: new Date(),
    endpoint: detected,
    data: { incidentId: 'one', channel: 'slack', occasion: 'incident', target: 'C1', reference: '1' },
  });
  const [first, , second] = await lab.append(detected, told, aConfirmation(detected));
  await expect.poll(lab.recorded).toEqual([first?.seq, second?.seq]);
  expect((await lab.lines())[0]).not.toContain('"body"');
  await seal();
  expect(await lab.problems()).toEqual([]);
  await consumption.stop();
});

test('two processes at once and every event delivered twice: one chain, one record each', async () => {
  await using lab = await startLab();
  await using other = await connectBus({ url: lab.broker.url, name: 'other', log });
  const keepers = [await lab.keeper(), await lab.keeper(key, other)];
  const events = await lab.append(...several(40));
  for (const event of events) await Promise.all(keepers.map(({ record }) => record(event, context)));
  for (const event of events.toReversed()) await keepers[0]?.record(event, context);
  expect(await lab.recorded()).toEqual(events.map(({ seq }) => seq));
  await Promise.all(keepers.map(({ seal }) => seal()));
  expect(await lab.problems()).toEqual([]);
});

test('two processes that record different events at once do not fork the chain', async () => {
  await using lab = await startLab();
  await using other = await connectBus({ url: lab.broker.url, name: 'other', log });
  const keepers = [await lab.keeper(), await lab.keeper(key, other)];
  const events = await lab.append(...several(40));
  const half = async (of: number) => {
    for (const event of events.filter((_, at) => at % 2 === of)) await keepers[of]?.record(event, context);
  };
  await Promise.all([half(0), half(1)]);
  expect((await lab.recorded()).toSorted((a, b) => a - b)).toEqual(events.map(({ seq }) => seq));
  await keepers[0]?.seal();
  expect(await lab.problems()).toEqual([]);
});

test('the broker is killed in the middle: the chain goes on, without gap or double', async () => {
  await using lab = await startLab();
  const { record, seal } = await lab.keeper();
  const consumption = await lab.bus.consumeEvents(CONSUMERS.audit, record);
  const before = await lab.append(...several(30));
  await expect.poll(async () => (await lab.lines()).length).toBeGreaterThan(5);
  await lab.broker.kill(); // what was in hand comes back when its time to be acknowledged is over
  await lab.broker.restart();
  const after = await lab.append(...several(10));
  await expect.poll(async () => (await lab.recorded()).length, { timeout: 60_000 }).toBe(40);
  expect(await lab.recorded()).toEqual([...before, ...after].map(({ seq }) => seq));
  await seal();
  expect(await lab.problems()).toEqual([]);
  await consumption.stop();
}, 90_000);

test('a process that ended after the append and before the acknowledgement leaves one record', async () => {
  await using lab = await startLab();
  const events = await lab.append(...several(3));
  const [ended, next] = [await lab.keeper(), await lab.keeper()];
  for (const event of events) await ended.record(event, context);
  for (const event of events) await next.record(event, context);
  expect(await lab.recorded()).toEqual(events.map(({ seq }) => seq));
});

test('an event that was put aside and redriven later is recorded late, once', async () => {
  await using lab = await startLab();
  const { record, seal } = await lab.keeper();
  const [late, early] = await lab.append(...several(2));
  if (!late || !early) throw new Error('no events');
  await record(early, context);
  for (let time = 0; time < 2; time++) await record(late, context);
  expect(await lab.recorded()).toEqual([early.seq, late.seq]);
  await seal();
  expect(await lab.problems()).toEqual([]);
});

test('what others put into the stream stops nothing, and is named', async () => {
  await using lab = await startLab();
  const { record, seal } = await lab.keeper();
  const [one, two, three] = await lab.append(...several(3));
  if (!one || !two || !three) throw new Error('no events');
  const stranger = aKey();
  await record(one, context);
  await lab.publish('cordon.audit.x.y', 'nonsense');
  await record(two, context);
  const forged = nextRecord({ n: 2, hash: '0'.repeat(64) }, { ...two, seq: 99_999 }, new Date(), stranger.key);
  await lab.publish('cordon.audit.x.y', lineOf(forged));
  await record(three, context);
  await seal();
  expect(await lab.problems()).toEqual([
    expect.stringMatching(/^2: This is no line that Cordon wrote/),
    expect.stringMatching(/^4: It is signed with another key/),
  ]);
});

test('removed from the stream, even all of it: the export shows it', async () => {
  await using lab = await startLab();
  const { record, seal } = await lab.keeper();
  for (const event of await lab.append(...several(5))) await record(event, context);
  await seal();
  await lab.jsm.streams.deleteMessage('CORDON_AUDIT', 3, false);
  expect(await lab.problems()).toEqual([expect.stringMatching(/^3: Record 3 does not stand before it/)]);
  await lab.jsm.streams.purge('CORDON_AUDIT');
  expect(await lab.problems()).toEqual([expect.stringMatching(/missing at the end: the seal was made at record 5/)]);
  const again = await lab.keeper(); // restarted
  const [next] = await lab.append(aConfirmation());
  if (next) await again.record(next, context);
  await again.seal();
  expect(await lab.problems()).toEqual([expect.stringMatching(/^1: Records 1 to 5 do not stand before it/)]);
});

test('with a new signing key the chain goes on', async () => {
  await using lab = await startLab();
  const [one, two] = await lab.append(...several(2));
  if (!one || !two) throw new Error('no events');
  const next = aKey();
  await (await lab.keeper()).record(one, context);
  const { record, seal } = await lab.keeper(next.key);
  await record(two, context);
  await seal();
  expect(await lab.problems([publicKey, createPublicKey(next.key)])).toEqual([]);
  expect(await lab.problems([publicKey])).toHaveLength(2);
});

test('the seal follows the end, is made anew when it is old, and never goes back', async () => {
  await using lab = await startLab();
  const { record, seal } = await lab.keeper();
  const kept = async () => (await (await lab.bus.bucket('bookmarks')).get('audit'))?.string();
  await seal();
  expect(await kept()).toBeUndefined(); // nothing to seal
  const [one, two] = await lab.append(...several(2));
  if (!one || !two) throw new Error('no events');
  await record(one, context);
  const sealing = keepSealing(seal, log);
  await expect.poll(kept).toContain('"n":1');
  await record(two, context);
  await expect.poll(kept).toContain('"n":2');
  await sealing.stop();
  const before = await kept();
  await seal();
  expect(await kept()).toBe(before);
  await seal(new Date(Date.now() + 61_000));
  expect(await kept()).not.toBe(before);
});
