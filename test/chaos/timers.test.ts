import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { StoredEvent } from '@cordon/contracts';
import { Pool } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aWebhook, post } from '../bench/load.ts';
import { eventually } from '../e2e/person.ts';
import { Story } from '../e2e/story.ts';
import { policyFile } from './policy-file.ts';
import { readLog } from './read-log.ts';

/** What time brings comes within 5 s of its time, or of the return of what has to bring it. */

const LATE_MS = 5000;
const POLICY = `
tiers:
  - { name: remind, match: [{ hosts: [remind-*] }], expires: 1h, remind: [12s] }
  - { name: escalate, match: [{ hosts: [escalate-*] }], expires: 1h, escalate: [{ after: 12s }] }
  - { name: expire, match: [{ hosts: [expire-*] }], expires: 12s }
  - { name: release, match: [{ hosts: [release-*] }], expires: 1h, release_after: 12s }
  - name: rest
blast_radius: { isolations: 100, fleet_percent: 100 }
`;
const KINDS = ['remind', 'escalate', 'expire', 'release'] as const;
type Kind = (typeof KINDS)[number];
const BRINGS = {
  remind: 'approval.reminded',
  escalate: 'approval.escalated',
  expire: 'approval.decided',
  release: 'release.requested',
} as const;

const ROUNDS = 2;
const sensors = KINDS.flatMap((kind) =>
  Array.from({ length: ROUNDS }, (_, round) => ({ sid: randomUUID(), hostname: `${kind}-${round}` })),
);
let story: Story;
let policy: Awaited<ReturnType<typeof policyFile>>;
beforeAll(async () => {
  policy = await policyFile(POLICY);
  story = await Story.begin({ sensors, env: { POLICY_FILE: policy.path } });
});
afterAll(async () => {
  await story.system.close();
  await policy[Symbol.asyncDispose]();
});

test('with everything up, each comes within 5 s of its time, once', async () => {
  const dues = await begin(0);
  await expectInTime(0, dues, 0);
});

test('with approval and the broker down across the time, each comes within 5 s of their return, once', async () => {
  const dues = await begin(1);
  const { approval } = story.system.services;
  const { broker } = story.parts;
  await approval.kill();
  await broker.kill();
  await delay(Math.max(...dues.values()) + 1000 - Date.now()); // the time itself is what this is about
  await broker.restart();
  await approval.start();
  await approval.ready(60_000);
  await expectInTime(1, dues, Date.now());
});

/** One detection on a machine of each kind; resolves with when each is due, while none is yet. */
async function begin(round: number): Promise<Map<Kind, number>> {
  const pool = new Pool(story.system.ingestUrl);
  const alice = await story.signedIn('Alice');
  for (const kind of KINDS) {
    const { sid, hostname } = machine(kind, round);
    await post(pool, aWebhook(story.system.webhook.secret, { oid: story.parts.limaCharlie.oid, sid, hostname }));
  }
  await pool.close();
  const asked = await first(machine('release', round).sid, 'approval.requested');
  const id = 'incidentId' in asked.data ? asked.data.incidentId : '';
  await eventually(async () => (await alice.get(`/approvals/${id}`)).status === 200 || undefined, 'the page');
  await story.decide(alice, id, 'isolate');
  const confirmed = await first(machine('release', round).sid, 'isolation.confirmed');

  const dues = new Map<Kind, number>([['release', Date.parse(confirmed.time) + 12_000]]);
  for (const kind of ['remind', 'escalate', 'expire'] as const) {
    const event = await first(machine(kind, round).sid, 'approval.requested');
    if (event.type !== 'approval.requested') throw new Error('not asked');
    const { terms, expiresAt } = event.data;
    const at = { remind: terms?.remindAt[0], escalate: terms?.escalate[0]?.at, expire: expiresAt }[kind];
    dues.set(kind, Date.parse(at ?? ''));
  }
  for (const due of dues.values()) expect(due).toBeGreaterThan(Date.now());
  return dues;
}

async function expectInTime(round: number, dues: ReadonlyMap<Kind, number>, backAt: number): Promise<void> {
  for (const [kind, due] of dues) {
    const { sid } = machine(kind, round);
    const event = await first(sid, BRINGS[kind]);
    const at = Date.parse(event.time);
    expect([kind, at >= due], `${kind} at ${event.time}, due ${new Date(due).toISOString()}`).toEqual([kind, true]);
    expect(at - Math.max(due, backAt), `${kind} after its time`).toBeLessThanOrEqual(LATE_MS);
  }
  await first(machine('release', round).sid, 'release.confirmed'); // by the sensor
  await first(machine('expire', round).sid, 'approval.escalated'); // it is told upwards as well
  const events = await readLog(story.system.natsUrl);
  for (const kind of KINDS) {
    const { sid } = machine(kind, round);
    expect(events.filter(({ endpointId, type }) => endpointId === sid && type === BRINGS[kind])).toHaveLength(1);
  }
}

function machine(kind: Kind, round: number): { sid: string; hostname: string } {
  const found = sensors.find(({ hostname }) => hostname === `${kind}-${round}`);
  if (!found) throw new Error('no such machine');
  return found;
}

async function first(sid: string, type: StoredEvent['type']): Promise<StoredEvent> {
  return eventually(
    async () => (await readLog(story.system.natsUrl)).find((event) => event.endpointId === sid && event.type === type),
    type,
    60_000,
  );
}
