import { randomUUID } from 'node:crypto';
import type { StoredEvent } from '@cordon/contracts';
import { Pool } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aWebhook, post } from '../bench/load.ts';
import { eventually } from '../e2e/person.ts';
import { saysNewFacts, Story } from '../e2e/story.ts';
import { policyFile } from './policy-file.ts';
import { readLog } from './read-log.ts';
import { isFull } from './size.ts';
import { inLanes, tireless } from './tireless.ts';

/** Who holds the webhook's secret can raise what he likes, and who is tired clicks yes on everything. */

const HOSTS = isFull ? 500 : 60;
const LIMIT = 10;
const LANES = 6;
const PATIENCE_MS = 120_000;
const POLICY = `
tiers: [{ name: all, expires: 1h }]
blast_radius: { isolations: ${LIMIT}, within: 1h, fleet_percent: 50, override_quorum: 2 }
`;
const sensors = Array.from({ length: HOSTS }, (_, index) => ({ sid: randomUUID(), hostname: `host-${index}` }));
let story: Story;
let policy: Awaited<ReturnType<typeof policyFile>>;
beforeAll(async () => {
  policy = await policyFile(POLICY);
  const env = { POLICY_FILE: policy.path, TRUST_PROXY: '127.0.0.1', SLACK_POSTS_PER_SECOND: '1000' };
  story = await Story.begin({ sensors, env });
});
afterAll(async () => {
  await story.system.close();
  await policy[Symbol.asyncDispose]();
});

test(
  `${HOSTS} signed detections and one person who says yes to everything: ten isolations, and one more by a second person`,
  { timeout: 600_000 },
  async () => {
    const { secret } = story.system.webhook;
    const pool = new Pool(story.system.ingestUrl, { connections: 16 });
    await Promise.all(
      sensors.map((sensor) => post(pool, aWebhook(secret, { oid: story.parts.limaCharlie.oid, ...sensor }))),
    );
    await pool.close();
    const questions = await incidentsWith('approval.requested', HOSTS);

    await sayYes('Alice', questions);
    const held = await incidentsWith('isolation.held', HOSTS - LIMIT);
    expect(story.isolations()).toBe(LIMIT);

    // Asked again, now for two persons: the same one can say yes as often as she likes.
    await eventually(
      async () => ((await again()).length === held.length ? true : undefined),
      'the held ones are asked about again',
      PATIENCE_MS,
    );
    for (const { data } of await again()) {
      expect(data).toMatchObject({ votesNeeded: 2, override: 'blast_radius' });
    }
    await sayYes('Alice', held);
    await incidentsWith('approval.voted', held.length);
    await sayYes('Alice', held.slice(0, 20));
    const decisions = (await all('approval.decided')).length;
    expect(decisions).toBe(HOSTS);
    expect(story.isolations()).toBe(LIMIT);

    const [one = ''] = held;
    await sayYes('Bob', [one]);
    await eventually(() => (story.isolations() > LIMIT ? true : undefined), 'one more');
    await story.pageSays(await story.signedIn('Victor'), one, 'Machine isolated');
    expect(story.isolations()).toBe(LIMIT + 1);
    expect(await all('isolation.requested')).toHaveLength(LIMIT + 1);
  },
);

/** Says yes to each, as fast as the page lets a person with many sessions, and to every fifth twice at once. */
async function sayYes(name: string, incidents: readonly string[]): Promise<void> {
  const persons = Array.from({ length: LANES }, () => tireless(story.system.approvalUrl, name));
  await inLanes([...incidents.entries()], LANES, async ([index, id], lane) => {
    const clicks = index % 5 === 0 ? 2 : 1;
    const person = await persons[lane]?.(clicks);
    const page = await person?.get(`/approvals/${id}`);
    const form = page?.forms().find(({ action }) => action.endsWith('/review'));
    if (!person || !form) throw new Error(`nothing to answer: ${page?.status} ${page?.text.slice(0, 500)}`);
    const fields = { ...form.fields, choice: 'isolate', reason: 'yes to everything' };
    const pages = await Promise.all(
      Array.from({ length: clicks }, () => person.post(`/approvals/${id}/decide`, fields)),
    );
    // By the second click the machine may have been held and asked about again, of which that click says nothing.
    const isTaken = pages.map((answer) => answer.status === 200);
    expect(isTaken).toContain(true);
    expect(pages.every((answer, index) => isTaken[index] || saysNewFacts(answer))).toBe(true);
  });
}

async function all(type: StoredEvent['type']): Promise<StoredEvent[]> {
  return (await readLog(story.system.natsUrl)).filter((event) => event.type === type);
}

const again = async () =>
  (await all('approval.requested')).filter(({ data }) => 'override' in data && data.override !== undefined);

/** The incidents that have an event of this type, once there are so many. */
async function incidentsWith(type: StoredEvent['type'], count: number): Promise<string[]> {
  return eventually(
    async () => {
      const ids = new Set((await all(type)).map(({ data }) => ('incidentId' in data ? data.incidentId : '')));
      return ids.size >= count ? [...ids] : undefined;
    },
    `${count} times ${type}`,
    PATIENCE_MS,
  );
}
