import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../e2e/person.ts';
import { Story } from '../e2e/story.ts';

/** One dependency away at a time: the rest goes on, and what was missed is caught up with, once. */

let story: Story;
beforeAll(async () => {
  story = await Story.begin();
});
afterAll(() => story.system.close());
afterEach(async () => {
  const { slack, mail, limaCharlie } = story.parts;
  slack.faults.clear();
  mail.faults.clear();
  limaCharlie.faults.clear();
  await story.tidy();
});

/** The incident that waits on the front page, where Slack cannot tell of it. */
async function openIncident(): Promise<string> {
  const victor = await story.signedIn('Victor');
  return eventually(
    async () => /\/approvals\/([0-9a-f]{32})[^]*?Recently closed/.exec((await victor.get('/')).body)?.[1],
    'an open incident',
  );
}

test('Slack down: mail, page and isolation go on, and Slack catches up without doubles', async () => {
  const { slack, machine } = story.parts;
  slack.faults.add({ kind: 'down' });
  const known = slack.messages().length;
  await story.attack();
  const id = await openIncident();
  await eventually(() => story.mails(id)[0], 'the mail');
  const alice = await story.signedIn('Alice');
  await story.decide(alice, id, 'isolate');
  await story.pageSays(alice, id, 'Machine isolated');
  await eventually(
    () => story.mails(id).find((mail) => mail.text?.includes('isolated from the network')),
    'the mail about it',
  );
  expect(story.parts.limaCharlie.sensors().find((sensor) => sensor.sid === machine.sid)).toMatchObject({
    isolated: true,
  });
  expect(slack.messages()).toHaveLength(known);

  slack.faults.clear();
  await story.slackSays(id, 'Machine isolated', 60_000);
  expect(story.roots(id)).toHaveLength(1);
  const replies = story.roots(id)[0]?.replies.map((reply) => reply.text) ?? [];
  expect(new Set(replies).size).toBe(replies.length);
});

test('mail down: Slack, page and isolation go on, and the mails follow, one per occasion', async () => {
  story.parts.mail.faults.add({ kind: 'down' });
  const id = await story.follow(() => story.attack());
  await story.decide(await story.signedIn('Alice'), id, 'leave');
  await story.slackSays(id, 'Machine not isolated.');
  expect(story.mails(id)).toEqual([]);
  story.parts.mail.faults.clear();
  await eventually(() => story.mails(id)[1], 'both mails', 60_000);
  expect(story.mails(id).map((mail) => mail.deliveries)).toEqual([1, 1]);
});

test.each(['500', '429', 'dropped', 'slow'] as const)(
  'LimaCharlie answers %s: tried again, isolated once, nothing claimed before',
  async (kind) => {
    const before = story.isolations();
    const id = await story.follow(() => story.attack());
    story.parts.limaCharlie.faults.set(kind, 2, { periodSeconds: 1, delayMs: 500 });
    await story.decide(await story.signedIn('Alice'), id, 'isolate');
    await story.slackSays(id, 'Machine isolated', 60_000);
    expect(story.isolations()).toBe(before + 1);
  },
);

test('the broker down: webhooks are refused, and the job is done when it is back', async () => {
  const { broker, limaCharlie, machine } = story.parts;
  await broker.kill();
  await story.attack(); // its webhooks are refused: LimaCharlie pauses its output
  await broker.restart();
  await eventually(() => (limaCharlie.isOutputPaused() ? undefined : true), 'the output resumes', 30_000);
  await Promise.all(Object.values(story.system.services).map((service) => service.ready(30_000)));
  const id = await story.follow(() => story.attack());
  await story.decide(await story.signedIn('Alice'), id, 'isolate');
  await story.slackSays(id, 'Machine isolated', 60_000);
  expect(limaCharlie.sensors().find((sensor) => sensor.sid === machine.sid)).toMatchObject({ isolated: true });
});
