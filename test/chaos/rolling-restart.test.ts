import { randomUUID } from 'node:crypto';
import { SERVICES } from '@cordon/sandbox';
import { Pool } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aWebhook, post } from '../bench/load.ts';
import { eventually } from '../e2e/person.ts';
import { Story } from '../e2e/story.ts';
import { policyFile } from './policy-file.ts';
import { readLog } from './read-log.ts';
import { isFull } from './size.ts';
import { inLanes } from './tireless.ts';

/** Every service is stopped and started again, one after the other, as an upgrade does. */

const QUESTIONS = isFull ? 1000 : 200;
const SOON = 5;
const PATIENCE_MS = 240_000;
const POLICY = `
tiers:
  - { name: soon, match: [{ hosts: [soon-*] }], expires: 50s, remind: [20s] }
  - { name: rest, expires: 2h }
`;
const machines = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ sid: randomUUID(), hostname: `${name}-${index}` }));
const [rest, soon] = [machines('host', QUESTIONS), machines('soon', SOON)];
let story: Story;
let policy: Awaited<ReturnType<typeof policyFile>>;
beforeAll(async () => {
  policy = await policyFile(POLICY);
  story = await Story.begin({
    sensors: [...rest, ...soon],
    env: { POLICY_FILE: policy.path, SLACK_POSTS_PER_SECOND: '1000' },
  });
});
afterAll(async () => {
  await story.system.close();
  await policy[Symbol.asyncDispose]();
});

test(
  `${QUESTIONS} open questions survive a rolling restart of every service`,
  { timeout: 2 * PATIENCE_MS },
  async () => {
    await attackOn([...rest, ...soon]);
    await eventually(
      async () => ((await incidents('approval.requested')).length >= QUESTIONS + SOON ? true : undefined),
      'everybody is asked',
      PATIENCE_MS,
    );
    // While Slack and mail are still being told.
    for (const name of SERVICES) {
      const service = story.system.services[name];
      await service.stop();
      await service.start();
      await service.ready(60_000);
    }

    for (const type of ['approval.reminded', 'approval.decided'] as const) {
      await eventually(
        async () => ((await incidents(type)).length >= SOON ? true : undefined),
        `${type} when its time came`,
        PATIENCE_MS,
      );
    }
    const { slack, mail } = story.parts;
    await eventually(() => (slack.messages().length >= QUESTIONS + SOON ? true : undefined), 'Slack', PATIENCE_MS);
    const asked = await incidents('approval.requested');
    expect(asked).toHaveLength(QUESTIONS + SOON);
    expect(new Set(asked).size).toBe(asked.length); // nobody was asked twice
    const expired = await incidents('approval.decided');
    expect(new Set(expired).size).toBe(SOON);
    expect(expired).toHaveLength(SOON);
    expect(await incidents('approval.reminded')).toHaveLength(SOON);

    const roots = slack.messages().map(({ metadata }) => metadata?.event_payload['incident_id']);
    expect(roots).toHaveLength(asked.length);
    expect(new Set(roots)).toEqual(new Set(asked));
    const questions = (): (string | undefined)[] =>
      mail.mails().flatMap(({ messageId }) => (messageId?.includes('.question') ? [messageId] : []));
    await eventually(() => (questions().length >= asked.length ? true : undefined), 'a mail each', PATIENCE_MS);
    expect(new Set(questions()).size).toBe(asked.length);
    expect(mail.mails().filter(({ deliveries }) => deliveries > 1)).toEqual([]);

    const alice = await story.signedIn('Alice');
    expect((await alice.get('/')).text).toContain(`Open (${QUESTIONS})`);
    const open = asked.filter((id) => !expired.includes(id));
    for (const id of [open.at(0), open.at(-1)]) {
      await story.decide(alice, id ?? '', 'leave');
      await story.pageSays(alice, id ?? '', 'Machine not isolated.');
    }
  },
);

async function attackOn(targets: readonly { sid: string; hostname: string }[]): Promise<void> {
  const pool = new Pool(story.system.ingestUrl, { connections: 16 });
  const { secret } = story.system.webhook;
  const { oid } = story.parts.limaCharlie;
  await inLanes(targets, 16, async (target) => post(pool, aWebhook(secret, { oid, ...target })));
  await pool.close();
}

/** The incidents of all events of this type, in order. */
async function incidents(type: string): Promise<string[]> {
  return (await readLog(story.system.natsUrl)).flatMap((event) =>
    event.type === type && 'incidentId' in event.data ? [event.data.incidentId] : [],
  );
}
