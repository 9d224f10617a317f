import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aWebhook, post } from '../bench/load.ts';
import { eventually } from '../e2e/person.ts';
import { Story } from '../e2e/story.ts';
import { isFull } from './size.ts';
import { inLanes } from './tireless.ts';

/** Many detections on few machines: few questions, exact counters, few messages, and the news first. */

const { HOSTS, DETECTIONS, SECONDS } = isFull
  ? { HOSTS: 50, DETECTIONS: 10_000, SECONDS: 60 }
  : { HOSTS: 12, DETECTIONS: 1800, SECONDS: 0 };
const sensors = Array.from({ length: HOSTS }, (_, index) => ({ sid: randomUUID(), hostname: `storm-host-${index}` }));
let story: Story;
beforeAll(async () => {
  story = await Story.begin({ sensors });
});
afterAll(() => story.system.close());

test(
  'a storm asks once per machine, counts exactly, and a new incident overtakes what is left of it',
  { timeout: isFull ? 500_000 : 120_000 },
  async () => {
    const { limaCharlie, slack } = story.parts;
    const { secret } = story.system.webhook;
    const pool = new Pool(story.system.ingestUrl, { connections: 16 });
    const startedAt = Date.now();
    await inLanes([...Array(DETECTIONS).keys()], 16, async (index) => {
      const { sid, hostname } = sensors[index % HOSTS] ?? { sid: '', hostname: '' };
      await delay(Math.max(0, startedAt + (index * SECONDS * 1000) / DETECTIONS - Date.now()));
      await post(pool, aWebhook(secret, { oid: limaCharlie.oid, sid, hostname }));
    });
    const sentIn = Date.now() - startedAt;
    await pool.close();

    // Every machine has its message; the threads and counters of the storm are still being written.
    await eventually(() => (slack.messages().length >= HOSTS ? true : undefined), 'a message per machine', 60_000);
    const before = Date.now();
    const id = await story.follow(() => story.attack());
    const overtookIn = Date.parse(story.roots(id)[0]?.at ?? '') - before;
    expect(overtookIn).toBeLessThan(10_000);

    const alice = await story.signedIn('Alice');
    const list = await alice.get('/');
    expect(list.body).toContain(`Open (${HOSTS + 1})`);
    const ids = [...list.body.matchAll(/\/approvals\/([0-9a-f]{32})/g)]
      .map(([, found = '']) => found)
      .filter((found) => found !== id);
    expect(ids).toHaveLength(HOSTS);
    for (const incident of ids) {
      await story.pageSays(alice, incident, `Detections ${DETECTIONS / HOSTS}`);
      await story.slackSays(incident, `"text":"${DETECTIONS / HOSTS}"`, 120_000); // the last count is exact
    }
    const roots = slack.messages();
    const updates = roots.map(({ updateCount }) => updateCount);
    process.stdout.write(
      `${DETECTIONS} detections over ${HOSTS} machines in ${sentIn} ms: ${ids.length} questions, ${roots.length} messages, ${Math.max(...updates)} updates at most, a new incident told in ${overtookIn} ms\n`,
    );
    expect(roots).toHaveLength(HOSTS + 1);
    for (const root of roots) {
      expect(root.replies.length).toBeLessThanOrEqual(2);
      expect(root.updateCount).toBeLessThanOrEqual(20);
    }
    await eventually(() => (story.parts.mail.mails().length >= HOSTS + 1 ? true : undefined), 'a mail per question');
    expect(story.parts.mail.mails()).toHaveLength(HOSTS + 1);
  },
);
