import { generateKeyPairSync } from 'node:crypto';
import { CONSUMERS, PermanentError } from '@cordon/bus';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { signWith } from '@cordon/approval/src/sign.ts';
import { ask, decide, type Incident } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { Kvm } from '@nats-io/kv';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cordon, startLab } from './lab.ts';

let lab: Awaited<ReturnType<typeof startLab>>;
beforeEach(async () => (lab = await startLab()));
afterEach(async () => lab[Symbol.asyncDispose]());

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const sign = signWith(privateKey);

/** As the approval service does: a snapshot after every event. */
const keepSnapshots = () =>
  lab.bus.consumeEvents(CONSUMERS.snapshot, async (event) =>
    lab.bus.log.keep(await lab.bus.log.load(event, event.seq)),
  );

async function anIncident(hostname = 'win-srv-07', endpoint?: { tenantId: string; endpointId: string }) {
  const about = { hostname, commandLine: `cmd ${Math.random()}`, ...(endpoint && { endpoint }) };
  const event = aDetectionRaised(aDetection(about));
  await lab.bus.log.append(event);
  await lab.bus.log.transact(event, (state) => ask(state, () => anAsking(), new Date()));
  const { incident } = (await lab.bus.log.load(event)).state;
  if (!incident) throw new Error('no incident');
  return incident;
}

async function decided(incident: Incident, outcome: 'isolate' | 'leave', at = new Date()): Promise<void> {
  const answer = anAnswer(incident, { outcome });
  await lab.bus.log.transact(incident, (state) => sign(decide(state, answer, someTerms(), at)));
}

async function snapshots() {
  const connection = await connect({ servers: lab.broker.url });
  const bucket = await new Kvm(jetstream(connection)).open('CORDON_STATE');
  return {
    bucket,
    /** Every snapshot, byte for byte. */
    async all(): Promise<Record<string, string>> {
      const found = new Map<string, string>();
      for await (const key of await bucket.keys()) found.set(key, (await bucket.get(key))?.string() ?? '');
      return Object.fromEntries(found);
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

test('snapshots that were dropped are rebuilt from the log byte for byte, replaced incidents included', async () => {
  await using kv = await snapshots();
  const consumption = await keepSnapshots();
  for (let machine = 0; machine < 5; machine++) {
    const first = await anIncident();
    await decided(first, 'leave');
    await anIncident('win-srv-07', first);
  }
  await expect.poll(async () => Object.keys(await kv.all())).toHaveLength(15);
  await expect
    .poll(async () => (await lab.cordon('replay', '--rebuild', '--check')).out)
    .toContain('15 snapshots identical');
  await consumption.stop();
  const before = await kv.all();

  for (const key of Object.keys(before)) await kv.bucket.purge(key);
  expect(await lab.json('replay', '--rebuild', '--check')).toMatchObject({
    code: 1,
    value: { missing: 15, written: 0 },
  });
  expect(await lab.json('replay', '--rebuild')).toMatchObject({ code: 0, value: { missing: 15, written: 15 } });
  expect(await kv.all()).toEqual(before);
  expect(await lab.json('replay', '--rebuild', '--check')).toMatchObject({ code: 0, value: { identical: 15 } });
});

test('how much a fold took in at once does not show in what is kept', async () => {
  await using kv = await snapshots();
  const first = await anIncident();
  await decided(first, 'leave');
  await lab.bus.log.append(aDetectionRaised(aDetection({ endpoint: first, commandLine: 'something else' })));
  await lab.bus.log.keep(await lab.bus.log.load(first)); // at the very event that ends the first incident
  await lab.bus.log.transact(first, (state) => ask(state, () => anAsking(), new Date()));
  await lab.bus.log.keep(await lab.bus.log.load(first));
  const before = await kv.all();
  for (const key of Object.keys(before)) await kv.bucket.purge(key);
  await lab.cordon('replay', '--rebuild');
  expect(await kv.all()).toEqual(before);
});

test('a check on a live stream compares each snapshot at its own place in the log', async () => {
  const consumption = await keepSnapshots();
  const live = new AbortController();
  const traffic = (async () => {
    let count = 0;
    for (; !live.signal.aborted; count++) {
      const incident = await anIncident();
      await decided(incident, 'leave');
      await anIncident('win-srv-07', incident);
    }
    return count;
  })();
  await using kv = await snapshots();
  await expect.poll(async () => Object.keys(await kv.all()).length).toBeGreaterThan(10);
  const results = [];
  for (let round = 0; round < 3; round++) results.push(await lab.json('replay', '--rebuild', '--check'));
  live.abort();
  expect(await traffic).toBeGreaterThan(0);
  for (const { value } of results) expect(value).toMatchObject({ different: 0, 'lost-log': 0 });
  await consumption.stop();
});

test('a damaged snapshot is found, named, and put right, and the check changes nothing', async () => {
  await using kv = await snapshots();
  const incident = await anIncident();
  await lab.bus.log.keep(await lab.bus.log.load(incident));
  const before = await kv.all();
  const key = `endpoint.${incident.tenantId}.${incident.endpointId}`;
  await kv.bucket.put(key, (before[key] ?? '').replace('"asked"', '"contained"'));
  await kv.bucket.put(`incident.${incident.id}`, 'no json');

  const check = await lab.cordon('replay', '--rebuild', '--check');
  expect(check.code).toBe(1);
  expect(check.out).toContain(`${key} differs from its log\n`);
  expect(await kv.all()).not.toEqual(before);
  expect((await lab.cordon('replay', '--rebuild')).code).toBe(0);
  expect(await kv.all()).toEqual(before);
});

test('where the beginning of a log is gone, what is kept is not overwritten', async () => {
  await using kv = await snapshots();
  const incident = await anIncident();
  await lab.bus.log.keep(await lab.bus.log.load(incident));
  const before = await kv.all();
  await lab.jsm.streams.purge('CORDON_EVENTS', { seq: 2 });
  expect(await lab.json('replay', '--rebuild')).toMatchObject({ code: 1, value: { written: 0 } });
  expect(await kv.all()).toEqual(before);
});

test('a rehearsal prints what Slack, mail and LimaCharlie would be told, and nothing happens', async () => {
  const incident = await anIncident('win-srv-07\u001B[31m');
  await decided(incident, 'isolate');
  await lab.bus.log.keep(await lab.bus.log.load(incident));
  const last = async () => (await lab.jsm.streams.info('CORDON_EVENTS')).state.last_seq;
  const before = await last();
  const env = {
    ...lab.env,
    SLACK_CHANNEL: 'C0CORDON001',
    EMAIL_TO: 'soc@example.com',
    LIMACHARLIE_OID: incident.tenantId,
    DECISION_PUBLIC_KEYS: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };

  const slack = await cordon(env, ['replay', '--consumer', 'notifier-slack', '--from', '1']);
  expect(slack.out).toMatch(/would {2}Slack: post to C0CORDON001: /);
  expect(slack.out).toContain('3 events rehearsed. Nothing was sent, called or written.');
  expect(slack.out).not.toContain('\u001B');
  const mail = await cordon(env, ['replay', '--consumer', 'notifier-email', '--incident', incident.id.slice(0, 8)]);
  expect(mail.out).toContain('would  mail: to soc@example.com: ');
  const call = await cordon(env, ['replay', '--consumer', 'executor-execute', '--incident', incident.id]);
  expect(call.out).toContain(`would  LimaCharlie: POST /v1/${incident.endpointId}/isolation\n`);
  const guarded = await cordon({ ...env, DRY_RUN: 'true' }, [
    'replay',
    '--consumer',
    'executor-execute',
    '--from',
    '1',
  ]);
  expect(guarded.out).not.toContain('POST');
  expect(guarded.out).toContain('append isolation.simulated');
  const asked = await cordon(env, ['replay', '--consumer', 'approval-ask', '--from', '1h', '--json']);
  expect(JSON.parse(asked.out)).toMatchObject({ seq: 1, type: 'detection.raised', would: [], ends: 'nothing to do' });

  expect(await last()).toBe(before);
  expect((await lab.jsm.streams.info('CORDON_REDRIVE')).state.messages).toBe(0);
  expect((await lab.jsm.streams.info('KV_CORDON_INTENTS').catch(() => undefined))?.state.messages ?? 0).toBe(0);
});

test('for real it goes one incident at a time, asked first, and its own consumer handles it again', async () => {
  const [incident, other] = [await anIncident(), await anIncident()];
  for (const one of [incident, other]) await lab.bus.log.keep(await lab.bus.log.load(one));
  const seen: { seq: number; incidentId: string }[] = [];
  let isBroken = false;
  const consumption = await lab.bus.consumeEvents(CONSUMERS.arm, async (event) => {
    if (isBroken) throw new PermanentError('no timers');
    if (event.type === 'approval.requested') seen.push({ seq: event.seq, incidentId: event.data.incidentId });
  });
  await expect.poll(() => seen).toHaveLength(2);

  const argv = ['replay', '--consumer', 'approval-arm', '--incident', incident.id.slice(0, 8), '--for-real'];
  expect((await lab.cordon(...argv)).code).toBe(2); // nobody there to ask
  expect((await cordon(lab.env, argv, { answer: 'no' })).code).toBe(130);
  expect(seen).toHaveLength(2);
  expect(await cordon(lab.env, argv, { answer: incident.id.slice(0, 8) })).toMatchObject({ code: 0, err: '' });
  expect(seen.slice(2)).toEqual([seen.find(({ incidentId }) => incidentId === incident.id)]);
  isBroken = true;
  const failed = await lab.cordon(...argv, '--yes');
  expect(failed).toMatchObject({ code: 1, out: expect.stringContaining('now dead letter 1: no timers') });
  await consumption.stop();
});
