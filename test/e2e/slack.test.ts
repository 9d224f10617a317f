import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from './person.ts';
import { Story } from './story.ts';

/** People decide in Slack, where the policy lets them. */

const POLICY_FILE = fileURLToPath(new URL('../../packages/sandbox/slack-policy.yaml', import.meta.url));
const yes = { choice: 'isolate', reason: 'the test says so' };

let story: Story;
beforeAll(async () => {
  story = await Story.begin({ env: { POLICY_FILE } });
});
afterAll(() => story.system.close());
afterEach(() => story.tidy());

/** Presses the message's button. */
async function press(user: string, id: string): Promise<void> {
  await story.slackSays(id, '"decide"');
  const outcome = await story.parts.slack.press(user, story.roots(id)[0]?.ts ?? '', 'decide');
  expect(outcome).toEqual({ ok: true });
}

/** Presses, and returns what submits the modal and then reads it. */
async function open(user: string, id: string) {
  const { slack } = story.parts;
  slack.dismiss(user);
  await press(user, id);
  const view = await eventually(() => slack.views(user)[0], 'the modal');
  return async (filled: Record<string, string>): Promise<string> => {
    await slack.submit(user, view.id, filled);
    return JSON.stringify(slack.views(user)[0]?.modal);
  };
}

test('one says yes in Slack, one on the page: the machine is isolated, and the message loses its button', async () => {
  const id = await story.follow(() => story.attack());
  const answer = await open('U0ALICE', id);
  expect(await answer(yes)).toContain('1 of 2 persons agree so far.');
  expect(story.isolations()).toBe(0);

  // The same person on the page is not a second one.
  const alice = await story.signedIn('Alice');
  expect((await alice.get(`/approvals/${id}`)).text).toContain('Your yes is counted.');

  const bob = await story.signedIn('Bob');
  await story.decide(bob, id, 'isolate');
  await story.slackSays(id, 'Machine isolated');
  expect(story.isolations()).toBe(1);
  expect(JSON.stringify(story.roots(id)[0]?.blocks)).not.toContain('"decide"');
});

test('two say yes in Slack, and who comes too late or is a stranger is told so alone', async () => {
  const { slack } = story.parts;
  const before = story.isolations();
  const id = await story.follow(() => story.attack());
  await press('U0STRANGER', id);
  await eventually(() => slack.ephemerals('U0STRANGER')[0], 'the message that only the stranger sees');
  const [alice, bob] = [await open('U0ALICE', id), await open('U0BOB', id)];
  await alice(yes);
  expect(await bob(yes)).toContain('Decided to isolate win-srv-07.');
  await story.slackSays(id, 'Machine isolated');
  expect(story.isolations()).toBe(before + 1);
  expect(slack.ephemerals('U0ALICE')).toEqual([]);
});

test('a no in Slack ends the question', async () => {
  const before = story.isolations();
  const id = await story.follow(() => story.attack());
  const answer = await open('U0BOB', id);
  expect(await answer({ choice: 'leave', reason: 'a planned exercise' })).toContain('Decided not to isolate');
  await story.slackSays(id, 'Machine not isolated.');
  await story.slackSays(id, 'Bob Approver');
  expect(story.isolations()).toBe(before);
});
