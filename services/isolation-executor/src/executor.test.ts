import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { type Bus, connectBus, CONSUMERS, type Consumption } from '@cordon/bus';
import { type Endpoint, signEvent } from '@cordon/contracts';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { ask, decide, type DecideCommand, type Decision, type Incident, requestRelease } from '@cordon/incident';
import { ALICE, anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { limaCharlie } from '@cordon/limacharlie/client';
import { type Broker, type LimaCharlieSandbox, startBroker, startLimaCharlie } from '@cordon/sandbox';
import { loadPolicy, type Machine, type Policy, protectedHosts } from '@cordon/policy';
import { createLogger } from '@cordon/service';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createBlastRadius } from './blast-radius.ts';
import { watchForDrift } from './drift.ts';
import { executeOnDecision } from './execute.ts';
import { watchUntilConfirmed } from './watch.ts';

const log = createLogger('test', 'silent');
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const sid = randomUUID();
const oid = randomUUID();
const endpoint: Endpoint = { tenantId: oid, endpointId: sid };

let broker: Broker;
let bus: Bus;
let cloud: LimaCharlieSandbox;
let running: Consumption[] = [];

beforeEach(async () => {
  broker = await startBroker();
  bus = await connectBus({ url: broker.url, name: 'test', log });
  cloud = await startLimaCharlie({
    oid,
    apiKey: 'key',
    isolationLagMs: 50,
    sensors: [{ sid, hostname: 'win-srv-07' }],
  });
});
afterEach(async () => {
  await Promise.all(running.map((consumption) => consumption.stop()));
  running = [];
  await bus.close();
  await cloud.close();
  await broker[Symbol.asyncDispose]();
});

type Overrides = {
  protect?: string[];
  dryRun?: boolean;
  decisionMaxAgeMs?: number;
  confirmTimeoutMs?: number;
  apiKey?: string;
  policy?: Partial<Policy>;
};
async function startExecutor({
  protect = [],
  dryRun = false,
  decisionMaxAgeMs = 60_000,
  confirmTimeoutMs = 60_000,
  apiKey = 'key',
  policy: overrides = {},
}: Overrides = {}) {
  const edr = limaCharlie({
    apiUrl: cloud.apiUrl,
    jwtUrl: cloud.jwtUrl,
    oid,
    apiKey,
    log,
    attempts: 1,
    timeoutMs: 1000,
  });
  const policy = { ...loadPolicy(undefined), ...overrides };
  const isProtected = protectedHosts(protect);
  const guards = {
    authority: () => ({ keys: [publicKey], policy, tenantId: oid, maxAgeMs: decisionMaxAgeMs }),
    limits: { protectedBy: ({ hostname }: Machine) => (isProtected(hostname) ? 'the test' : undefined), dryRun },
    blastRadius: createBlastRadius(
      await bus.bucket('guards'),
      () => policy.blast_radius,
      async () => undefined,
    ),
  };
  const drift = watchForDrift(bus.log, edr, 20);
  const pace = { confirmPollMs: 20, offlinePollMs: 20, confirmTimeoutMs };
  const confirmation = watchUntilConfirmed(bus.log, edr, pace);
  running = [
    await bus.consumeEvents(CONSUMERS.execute, executeOnDecision(bus.log, edr, guards)),
    await bus.consumeEvents(CONSUMERS.watch, (event, context) =>
      event.type === 'isolation.confirmed' ? drift(event, context) : confirmation(event, context),
    ),
  ];
}

async function openIncident(hostname = 'win-srv-07', about: Endpoint = endpoint): Promise<Incident> {
  await bus.log.append(aDetectionRaised(aDetection({ endpoint: about, hostname })));
  await bus.log.transact(about, (state) => ask(state, () => anAsking(), new Date()));
  return incident(about);
}

async function answer(
  outcome: 'isolate' | 'leave',
  about: Endpoint = endpoint,
  more: Partial<DecideCommand> = {},
): Promise<void> {
  await bus.log.transact(about, (state) =>
    signed(decide(state, anAnswer(state.incident, { outcome, ...more }), someTerms(), new Date())),
  );
}

/** As approval does. */
function signed(decision: Decision, key = privateKey): Decision {
  if ('refused' in decision) return decision;
  return {
    events: decision.events.map((event) =>
      event.type === 'approval.decided' || event.type === 'release.requested' ? signEvent(event, key) : event,
    ),
  };
}

const release = async (): Promise<void> => {
  const { id: incidentId } = await incident();
  const command = {
    incidentId,
    channel: 'page' as const,
    person: ALICE,
    reason: 'clean',
    policyVersion: 'x',
    validMs: 60_000,
  };
  await bus.log.transact(endpoint, (state) => signed(requestRelease(state, command, new Date())));
};

async function incident(about: Endpoint = endpoint): Promise<Incident> {
  const found = (await bus.log.load(about)).state.incident;
  if (!found) throw new Error('no incident');
  return found;
}
const statusOf = async (about: Endpoint) => (await incident(about)).status;
const status = () => statusOf(endpoint);
const moments = async () => (await incident()).history.map((moment) => moment.type);

test('isolates on a yes and says isolated only when the sensor does', async () => {
  await startExecutor();
  await openIncident();
  cloud.setOnline(sid, false);
  await answer('isolate');
  await expect.poll(status).toBe('pending');
  expect((await incident()).problem?.explanation).toContain('offline');
  expect(cloud.calls.isolation).toHaveLength(1);
  cloud.setOnline(sid, true);
  await expect.poll(status).toBe('contained');
  expect(await moments()).toEqual([
    'detection.raised',
    'approval.requested',
    'approval.decided',
    'isolation.requested',
    'isolation.pending',
    'isolation.confirmed',
  ]);
  expect(cloud.sensors()).toMatchObject([{ isolated: true }]);
});

test('does nothing on a no', async () => {
  await startExecutor();
  await openIncident();
  await answer('leave');
  const other = { tenantId: oid, endpointId: randomUUID() };
  await openIncident('other', other);
  await answer('isolate', other);
  await expect.poll(() => statusOf(other)).toBe('failed'); // handled after the no
  expect(await status()).toBe('left');
  expect(cloud.calls.isolation).toEqual([]);
});

test('releases the same way, and a release crosses a pending isolation', async () => {
  await startExecutor();
  await openIncident();
  cloud.setOnline(sid, false);
  await answer('isolate');
  await expect.poll(status).toBe('pending');
  await release();
  await expect.poll(status).toBe('released'); // the wish is gone and the sensor never was isolated
  cloud.setOnline(sid, true);
  expect(cloud.calls.isolation.map((call) => call.method)).toEqual(['POST', 'DELETE']);
});

test.each([
  ['a host on the list', { protect: ['WIN-*'] }, 'refused', 'protected_host'],
  ['a dry run', { dryRun: true }, 'simulated', 'dry_run'],
  ['an old decision', { decisionMaxAgeMs: -1 }, 'refused', 'stale_decision'],
  ['a rejected key', { apiKey: 'wrong' }, 'failed', 'denied'],
] as const)('does not call for %s', async (_what, overrides, expected, code) => {
  await startExecutor({ ...overrides, protect: [...('protect' in overrides ? overrides.protect : [])] });
  await openIncident();
  await answer('isolate');
  await expect.poll(status).toBe(expected);
  expect((await incident()).problem?.code).toBe(code);
  expect(cloud.calls.isolation).toEqual([]);
});

test('an answer that got lost does not isolate twice', async () => {
  cloud.faults.set('answer-lost', 1, { route: 'POST /v1/:sid/isolation' });
  await startExecutor();
  await openIncident();
  await answer('isolate');
  await expect.poll(status).toBe('contained');
  expect(cloud.calls.isolation.filter((call) => call.method === 'POST')).toHaveLength(1);
});

test('a decision delivered again after a crash asks once', async () => {
  await openIncident();
  await answer('isolate');
  // The process died after the call and before it could say so.
  const edr = limaCharlie({ apiUrl: cloud.apiUrl, jwtUrl: cloud.jwtUrl, oid, apiKey: 'key', log });
  await edr.isolate(sid);
  await startExecutor();
  await expect.poll(status).toBe('contained');
  expect(cloud.calls.isolation).toHaveLength(1);
});

test.each([['500'], ['504'], ['dropped'], ['429']] as const)(
  'LimaCharlie answers %s for a while: tried again, once isolated',
  async (kind) => {
    cloud.faults.set(kind, 2, { periodSeconds: 1 });
    await startExecutor();
    await openIncident();
    await answer('isolate');
    await expect.poll(status, { timeout: 25_000 }).toBe('contained');
    expect((await moments()).filter((type) => type === 'isolation.requested')).toHaveLength(1);
  },
);

test('an unreachable LimaCharlie is given up on when the decision is too old, and nothing is claimed', async () => {
  cloud.faults.set('500');
  await startExecutor({ decisionMaxAgeMs: 1500 });
  await openIncident();
  await answer('isolate');
  await expect.poll(status, { timeout: 25_000 }).toBe('failed');
  expect((await incident()).problem).toMatchObject({ code: 'unavailable' });
});

test('a missing permission is reported in words', async () => {
  cloud.faults.set('403', undefined, { route: 'POST /v1/:sid/isolation' });
  await startExecutor();
  await openIncident();
  await answer('isolate');
  await expect.poll(status).toBe('failed');
  expect((await incident()).problem?.explanation).toMatch(/privilege|permission/i);
});

test('a sensor that does not follow is reported as not confirmed, and watched on', async () => {
  await cloud.close();
  cloud = await startLimaCharlie({
    oid,
    apiKey: 'key',
    isolationLagMs: 2500,
    sensors: [{ sid, hostname: 'win-srv-07' }],
  });
  await startExecutor({ confirmTimeoutMs: 300 });
  await openIncident();
  await answer('isolate');
  await expect.poll(status).toBe('unconfirmed');
  await expect.poll(status).toBe('contained');
});

test('a wish that somebody takes back in LimaCharlie ends as failed', async () => {
  cloud.setOnline(sid, false);
  await startExecutor();
  await openIncident();
  await answer('isolate');
  await expect.poll(status).toBe('pending');
  await limaCharlie({ apiUrl: cloud.apiUrl, jwtUrl: cloud.jwtUrl, oid, apiKey: 'key', log }).rejoin(sid);
  await expect.poll(status).toBe('failed');
  expect((await incident()).problem?.code).toBe('withdrawn');
});

test('a source that is no machine is refused', async () => {
  await cloud.close();
  cloud = await startLimaCharlie({
    oid,
    apiKey: 'key',
    sensors: [{ sid, hostname: 'cloudtrail', plat: 2_952_790_016, arch: 9 }],
  });
  await startExecutor();
  await openIncident('cloudtrail');
  await answer('isolate');
  await expect.poll(status).toBe('refused');
  expect((await incident()).problem?.code).toBe('unsupported_platform');
});
