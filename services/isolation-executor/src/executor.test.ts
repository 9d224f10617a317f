import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Lab } from './lab.ts';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.start();
});
afterEach(() => lab[Symbol.asyncDispose]());

/** Another machine in place of the usual one. */
async function anotherLab(options: Parameters<typeof Lab.start>[0]): Promise<void> {
  await lab[Symbol.asyncDispose]();
  lab = await Lab.start(options);
}

test('isolates on a yes and says isolated only when the sensor does', async () => {
  await lab.startExecutor();
  await lab.openIncident();
  lab.cloud.setOnline(lab.endpoint.endpointId, false);
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('pending');
  expect((await lab.incident()).problem?.explanation).toContain('offline');
  expect(lab.cloud.calls.isolation).toHaveLength(1);
  lab.cloud.setOnline(lab.endpoint.endpointId, true);
  await expect.poll(lab.status).toBe('contained');
  expect(await lab.moments()).toEqual([
    'detection.raised',
    'approval.requested',
    'approval.decided',
    'isolation.requested',
    'isolation.pending',
    'isolation.confirmed',
  ]);
  expect(lab.cloud.sensors()).toMatchObject([{ isolated: true }]);
});

test('does nothing on a no', async () => {
  await lab.startExecutor();
  await lab.openIncident();
  await lab.answer('leave');
  const other = { tenantId: lab.oid, endpointId: randomUUID() };
  await lab.openIncident({ hostname: 'other', endpoint: other });
  await lab.answer('isolate', other);
  await expect.poll(() => lab.statusOf(other)).toBe('failed'); // handled after the no
  expect(await lab.status()).toBe('left');
  expect(lab.cloud.calls.isolation).toEqual([]);
});

test('releases the same way, and a release crosses a pending isolation', async () => {
  await lab.startExecutor();
  await lab.openIncident();
  lab.cloud.setOnline(lab.endpoint.endpointId, false);
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('pending');
  await lab.release();
  await expect.poll(lab.status).toBe('released'); // the wish is gone and the sensor never was isolated
  lab.cloud.setOnline(lab.endpoint.endpointId, true);
  expect(lab.cloud.calls.isolation.map((call) => call.method)).toEqual(['POST', 'DELETE']);
});

test.each([
  ['a host on the list', { protect: ['WIN-*'] }, 'refused', 'protected_host'],
  ['a dry run', { dryRun: true }, 'simulated', 'dry_run'],
  ['an old decision', { decisionMaxAgeMs: -1 }, 'refused', 'stale_decision'],
  ['a rejected key', { apiKey: 'wrong' }, 'failed', 'denied'],
] as const)('does not call for %s', async (_what, overrides, expected, code) => {
  await lab.startExecutor({ ...overrides, protect: [...('protect' in overrides ? overrides.protect : [])] });
  await lab.openIncident();
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe(expected);
  expect((await lab.incident()).problem?.code).toBe(code);
  expect(lab.cloud.calls.isolation).toEqual([]);
});

test('an answer that got lost does not isolate twice', async () => {
  lab.cloud.faults.set('answer-lost', 1, { route: 'POST /v1/:sid/isolation' });
  await lab.startExecutor();
  await lab.openIncident();
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('contained');
  expect(lab.cloud.calls.isolation.filter((call) => call.method === 'POST')).toHaveLength(1);
});

test('a decision delivered again after a crash asks once', async () => {
  await lab.openIncident();
  await lab.answer('isolate');
  // The process died after the call and before it could say so.
  await lab.client().isolate(lab.endpoint.endpointId);
  await lab.startExecutor();
  await expect.poll(lab.status).toBe('contained');
  expect(lab.cloud.calls.isolation).toHaveLength(1);
});

test.each([['500'], ['504'], ['dropped'], ['429']] as const)(
  'LimaCharlie answers %s for a while: tried again, once isolated',
  async (kind) => {
    lab.cloud.faults.set(kind, 2, { periodSeconds: 1 });
    await lab.startExecutor();
    await lab.openIncident();
    await lab.answer('isolate');
    await expect.poll(lab.status, { timeout: 25_000 }).toBe('contained');
    expect((await lab.moments()).filter((type) => type === 'isolation.requested')).toHaveLength(1);
  },
);

test('an unreachable LimaCharlie is given up on when the decision is too old, and nothing is claimed', async () => {
  lab.cloud.faults.set('500');
  await lab.startExecutor({ decisionMaxAgeMs: 1500 });
  await lab.openIncident();
  await lab.answer('isolate');
  await expect.poll(lab.status, { timeout: 25_000 }).toBe('failed');
  expect((await lab.incident()).problem).toMatchObject({ code: 'unavailable' });
});

test('a missing permission is reported in words', async () => {
  lab.cloud.faults.set('403', undefined, { route: 'POST /v1/:sid/isolation' });
  await lab.startExecutor();
  await lab.openIncident();
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('failed');
  expect((await lab.incident()).problem?.explanation).toMatch(/privilege|permission/i);
});

test('a sensor that does not follow is reported as not confirmed, and watched on', async () => {
  await anotherLab({ isolationLagMs: 2500 });
  await lab.startExecutor({ confirmTimeoutMs: 300 });
  await lab.openIncident();
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('unconfirmed');
  await expect.poll(lab.status).toBe('contained');
});

test('a wish that somebody takes back in LimaCharlie ends as failed', async () => {
  lab.cloud.setOnline(lab.endpoint.endpointId, false);
  await lab.startExecutor();
  await lab.openIncident();
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('pending');
  await lab.client().rejoin(lab.endpoint.endpointId);
  await expect.poll(lab.status).toBe('failed');
  expect((await lab.incident()).problem?.code).toBe('withdrawn');
});

test('a source that is no machine is refused', async () => {
  await anotherLab({ hosts: ['cloudtrail'], plat: 2_952_790_016, arch: 9 });
  await lab.startExecutor();
  await lab.openIncident({ hostname: 'cloudtrail' });
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('refused');
  expect((await lab.incident()).problem?.code).toBe('unsupported_platform');
});
