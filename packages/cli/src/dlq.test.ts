import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { CONSUMERS, PermanentError } from '@cordon/bus';
import { sha256 } from '@cordon/contracts';
import { aDetectionRaised } from '@cordon/contracts/builders';
import { ask, decide } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { signWith } from '@cordon/approval/src/sign.ts';
import { loadPolicy } from '@cordon/policy';
import { executeOnDecision } from '@cordon/isolation-executor/src/execute.ts';
import { nanos } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLab } from './lab.ts';

let lab: Awaited<ReturnType<typeof startLab>>;
beforeAll(async () => (lab = await startLab()));
afterAll(async () => lab[Symbol.asyncDispose]());

async function idsOf(consumer: string): Promise<string[]> {
  const { value } = await lab.json('dlq', 'list', '--consumer', consumer);
  return Array.isArray(value) ? value.map((entry: { id: string }) => entry.id) : [];
}

test('what failed is listed, shown, redriven with its own sequence, and gone once it was handled', async () => {
  let isBroken = true;
  const seen: { id: string; seq: number; redelivered: boolean }[] = [];
  const consumption = await lab.bus.consumeEvents(CONSUMERS.ask, async (event, { redelivered }) => {
    if (isBroken) throw new PermanentError('the parser is\u001B[2J broken');
    seen.push({ id: event.id, seq: event.seq, redelivered });
  });
  const event = aDetectionRaised();
  const { seq } = await lab.bus.log.append(event);
  await expect.poll(() => idsOf('approval-ask')).toHaveLength(1);
  const [id = ''] = await idsOf('approval-ask');

  const listed = await lab.cordon('dlq', 'list');
  expect(listed.out).toMatch(
    new RegExp(`approval-ask +detection.raised #${seq} +1 +the parser is<U\\+001B>\\[2J broken`),
  );
  const shown = await lab.cordon('dlq', 'show', id);
  expect(shown.out).toContain('PermanentError: the parser is<U+001B>[2J broken');
  expect(shown.out).toContain(event.data.detection.device.hostname);
  expect(shown.out).not.toContain('\u001B');

  // Still broken: it comes back as another letter, and a script hears of it.
  const again = await lab.json('dlq', 'redrive', id);
  const [next = ''] = await idsOf('approval-ask');
  expect(again.code).toBe(1);
  expect(again.value).toMatchObject([{ id, outcome: 'failed again', says: expect.stringContaining(`now ${next}: `) }]);
  expect(next).not.toBe(id);

  isBroken = false;
  const done = await lab.json('dlq', 'redrive', next);
  expect(done).toMatchObject({ code: 0, value: [{ id: next, outcome: 'handled' }] });
  expect(seen).toEqual([{ id: event.id, seq, redelivered: true }]);
  expect(await idsOf('approval-ask')).toEqual([]);
  expect((await lab.cordon('dlq', 'redrive', next)).code).toBe(4);
  await consumption.stop();
});

test('a stale approval never fires: the redriven decision meets the guards of now', async () => {
  const isolated: string[] = [];
  const edr = {
    findSensor: async (sid: string) => ({
      sid,
      hostname: 'win-srv-07',
      plat: 1,
      platformName: 'windows',
      isEndpoint: true,
      online: true,
      isolated: false,
      shouldIsolate: false,
    }),
    isolate: async (sid: string) => void isolated.push(sid),
    rejoin: async () => {},
    isOnline: async () => true,
    isolationOf: async () => ({ isIsolated: false, shouldIsolate: false }),
  };
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const sign = signWith(privateKey);
  const detection = aDetectionRaised();
  const authority = {
    keys: [publicKey],
    policy: loadPolicy(undefined),
    tenantId: detection.tenantId,
    maxAgeMs: 60_000,
  };
  const guards = {
    authority: () => authority,
    blastRadius: { reserve: async () => 'taken' as const },
    limits: { protectedBy: () => undefined, dryRun: false },
  };
  let isBroken = true;
  const carryOut = executeOnDecision(lab.bus.log, edr, guards);
  const consumption = await lab.bus.consumeEvents(CONSUMERS.execute, async (event, context) => {
    if (isBroken) throw new PermanentError('the executor is misconfigured');
    await carryOut(event, context);
  });
  await lab.bus.log.append(detection);
  const terms = someTerms({ decisionValidMs: 300 });
  await lab.bus.log.transact(detection, (state) => ask(state, () => anAsking({ terms }), new Date()));
  await lab.bus.log.transact(detection, (state) => {
    return sign(decide(state, anAnswer(state.incident), terms, new Date()));
  });
  await expect.poll(() => idsOf('executor-execute')).toHaveLength(1);
  await new Promise((resolve) => setTimeout(resolve, 400)); // the decision grows too old: nothing else can be waited for
  isBroken = false;

  const { code, value } = await lab.json('dlq', 'redrive', '--all', '--consumer', 'executor-execute', '--yes');
  expect({ code, value }).toMatchObject({ code: 0, value: [{ outcome: 'handled' }] });
  expect(isolated).toEqual([]);
  const { state } = await lab.bus.log.load(detection);
  expect(state.incident).toMatchObject({ status: 'refused', problem: { code: 'stale_decision' } });
  await consumption.stop();
});

test('a redrive waits for a service that is not running, once, however often it was asked for', async () => {
  let isBroken = true;
  const handled: string[] = [];
  const start = () =>
    lab.bus.consumeEvents(CONSUMERS.arm, async (event) => {
      if (isBroken) throw new PermanentError('broken');
      handled.push(event.id);
    });
  const first = await start();
  const detection = aDetectionRaised();
  await lab.bus.log.append(detection);
  await lab.bus.log.transact(detection, (state) => ask(state, () => anAsking(), new Date()));
  const left = async () => {
    const { num_pending, num_ack_pending } = await lab.jsm.consumers.info('CORDON_EVENTS', CONSUMERS.arm.name);
    return num_pending + num_ack_pending;
  };
  await expect.poll(left).toBe(0); // this question and those of the tests before have failed
  await first.stop();
  const ids = await idsOf('approval-arm');

  const waiting = await lab.json('dlq', 'redrive', ...ids, '--wait', '0');
  expect(waiting).toMatchObject({ code: 0, value: ids.map((id) => ({ id, outcome: 'waiting' })) });
  isBroken = false;
  const second = await start();
  await expect.poll(() => handled).toHaveLength(ids.length);
  await second.stop();
});

test('a letter whose message is gone can only be discarded, and discarding asks first', async () => {
  const letter = { stream: 'CORDON_EVENTS', consumer: 'approval-ask', subject: 'cordon.events.a.b.detection.raised' };
  const rest = { seq: 999_999, attempts: 12, reason: 'long ago', headers: {}, payload: '' };
  await lab.publish('cordon.dead.CORDON_EVENTS.approval-ask', JSON.stringify({ ...letter, ...rest }));
  await lab.publish('cordon.dead.CORDON_EVENTS.x', JSON.stringify({ ...letter, ...rest, consumer: 'nobody' }));
  await lab.publish('cordon.dead.CORDON_EVENTS.approval-ask', '{"not":"a letter"}');
  const { value } = await lab.json('dlq', 'redrive', '--all', '--yes');
  expect(value).toMatchObject([{ outcome: 'gone' }, { outcome: 'gone' }, { outcome: 'unreadable' }]);
  expect((await lab.cordon('dlq', 'discard', '--all')).err).toContain('--yes');
  expect((await lab.json('dlq', 'list')).value).toHaveLength(3);
  expect((await lab.cordon('dlq', 'discard', '--all', '--yes')).code).toBe(0);
  expect((await lab.cordon('dlq', 'list')).out).toBe('Nothing was put aside.\n');
});

test('a quarantined webhook is listed, shown and run again: stored once, and as long as it is not understood, kept', async () => {
  const record = {
    cat: 'HackTool - LaZagne',
    detect: { event: { COMMAND_LINE: 'LaZagne.exe all', FILE_PATH: 'C:\\LaZagne.exe', PROCESS_ID: 1 } },
    detect_id: randomUUID(),
    gen_time: Date.now() - 3_600_000,
    routing: { oid: randomUUID(), sid: randomUUID(), hostname: 'workstation-01', plat: 268_435_456 },
  };
  const keep = (text: string) =>
    lab.bus.quarantine({
      problem: 'the parser of yesterday did not know this',
      receivedAt: new Date(record.gen_time).toISOString(),
      mediaType: 'application/json',
      sha256: sha256(text),
      body: Buffer.from(text).toString('base64'),
    });
  const body = JSON.stringify(record);
  await keep(body);
  await keep(`${body} `); // the same detection in other bytes
  await keep('{"nobody":"knows \u001B[31m"}');
  const [first = '', second = '', hopeless = ''] = await idsOf('ingest');
  expect([first, second, hopeless]).toEqual(['q1', 'q2', 'q3']);
  expect((await lab.cordon('dlq', 'show', first)).out).toContain('"hostname": "workstation-01"');

  // The broker forgets ids soon: what was stored before has to be found in the log.
  await lab.jsm.streams.update('CORDON_EVENTS', { duplicate_window: nanos(100) });
  expect(await lab.json('dlq', 'redrive', first)).toMatchObject({ code: 0, value: [{ id: first, outcome: 'stored' }] });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { code, value } = await lab.json('dlq', 'redrive', second, hopeless);
  expect(code).toBe(1);
  expect(value).toMatchObject([
    { id: second, outcome: 'duplicate' },
    { id: hopeless, outcome: 'not understood' },
  ]);
  expect(await idsOf('ingest')).toEqual([hopeless]);
  const endpoint = { tenantId: record.routing.oid, endpointId: record.routing.sid };
  expect((await lab.bus.log.load(endpoint)).state.incident).toMatchObject({ detectionCount: 1 });
  await lab.cordon('dlq', 'discard', hopeless, '--yes');
});
