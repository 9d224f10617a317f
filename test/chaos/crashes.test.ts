import type { ServiceName } from '@cordon/sandbox';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../e2e/person.ts';
import { Story } from '../e2e/story.ts';
import { doubledMails } from './drill/doubles.ts';
import { readLog } from './read-log.ts';

/** SIGKILL at every step of the job: after the restart the outcome is what it would have been. */

let story: Story;
beforeAll(async () => {
  story = await Story.begin({ env: { SLACK_RECONCILE_WAIT_MS: '1000' } });
});
afterAll(() => story.system.close());
afterEach(() => story.tidy());

/** When the notifier was killed. */
const deaths: number[] = [];

/** What kills: nothing of the service survives, and it is started again at once. */
async function crash(name: ServiceName): Promise<void> {
  const service = story.system.services[name];
  if (name === 'notifier') deaths.push(Date.now());
  await service.kill();
  await service.start();
}

const SERVICES: ServiceName[] = ['ingest', 'approval', 'isolation-executor', 'notifier'];
const STEPS = [
  'before the detection',
  'after the detection',
  'after the question',
  'after the decision',
  'while isolating',
] as const;
const cases = SERVICES.flatMap((name) => STEPS.map((step) => [name, step] as const));

test.each(cases)('%s killed %s: one Slack message, one mail per occasion, one isolation', async (name, step) => {
  const isolations = story.isolations();
  const at = async (now: (typeof STEPS)[number]): Promise<void> => (now === step ? crash(name) : undefined);

  await at('before the detection');
  if (step === 'before the detection') await story.system.services[name].ready(30_000); // LimaCharlie does not send again
  const id = await story.follow(async () => {
    await story.attack();
    await at('after the detection');
  });
  await at('after the question');
  await story.system.services.approval.ready(30_000);
  const alice = await story.signedIn('Alice');
  await story.pageSays(alice, id, 'Waiting for a decision');
  await story.decide(alice, id, 'isolate');
  await at('after the decision');
  if (step === 'while isolating') {
    await eventually(() => (story.isolations() > isolations ? true : undefined), 'the call');
    await crash(name);
  }
  await story.slackSays(id, 'Machine isolated', 90_000);
  await eventually(
    () => story.mails(id).find((mail) => mail.text?.includes('isolated from the network')),
    'the mail about it',
    90_000, // one that was about to be sent at the kill is waited for
  );

  expect(story.isolations()).toBe(isolations + 1);
  expect(story.roots(id)).toHaveLength(1);
  const mails = story.mails(id);
  expect(new Set(mails.map((mail) => mail.messageId)).size).toBe(mails.length);
  // Killed between a mail and its record, the notifier sends it again under the same Message-ID: SMTP cannot be asked.
  const events = await readLog(story.parts.broker.url);
  expect(doubledMails(mails, events, deaths).unexplained).toEqual([]);
  const replies = story.roots(id)[0]?.replies.map((reply) => JSON.stringify(reply.blocks ?? reply.text)) ?? [];
  expect(new Set(replies).size).toBe(replies.length);
});

test('the broker killed while the machine is being isolated: finished after its return', async () => {
  const isolations = story.isolations();
  const id = await story.follow(() => story.attack());
  await story.decide(await story.signedIn('Alice'), id, 'isolate');
  await story.parts.broker.kill();
  await story.parts.broker.restart();
  await story.slackSays(id, 'Machine isolated', 90_000);
  expect(story.isolations()).toBe(isolations + 1);
  expect(story.roots(id)).toHaveLength(1);
});

test('a question survives the restart of everything', async () => {
  const id = await story.follow(() => story.attack());
  const alice = await story.signedIn('Alice');
  for (const name of SERVICES) await story.system.services[name].kill();
  await story.parts.broker.kill();
  await story.parts.broker.restart();
  for (const name of SERVICES) await story.system.services[name].start();
  await Promise.all(SERVICES.map((name) => story.system.services[name].ready(30_000)));
  await story.decide(alice, id, 'leave'); // with the session from before
  await story.slackSays(id, 'Machine not isolated.', 60_000);
  expect(story.roots(id)).toHaveLength(1);
});
