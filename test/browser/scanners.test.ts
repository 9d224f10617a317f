import { randomUUID } from 'node:crypto';
import { connectOperator } from '@cordon/bus';
import { filterOf } from '@cordon/contracts';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aWebhook } from '../bench/load.ts';
import { eventually } from '../e2e/person.ts';
import { Story } from '../e2e/story.ts';
import { startBrowser, withoutBrowser } from './browser.ts';
import { BROWSERS } from './browsing-fetchers.ts';
import { anAddress, FETCHERS, session, stranger, type World } from './fetchers.ts';
import { filled, harvest, linksIn } from './harvest.ts';

/** Machines open every link in every message, and do there what machines do. Nothing of it is a decision. */

const other = { sid: randomUUID(), hostname: 'win-srv-08' };
let story: Story;
let browser: Browser;
let world: World;
let asked: string;
let contained: string;

beforeAll(async () => {
  story = await Story.begin({ env: { TRUST_PROXY: '127.0.0.1' }, sensors: [other] });
  if (!withoutBrowser) browser = await startBrowser();

  // One machine with an open question and one that could be released.
  const { limaCharlie, slack, mail } = story.parts;
  const { body } = aWebhook('not sent by us', { oid: limaCharlie.oid, ...other });
  contained = await story.follow(() => limaCharlie.raise(JSON.parse(body)));
  await story.decide(await story.signedIn('Bob'), contained, 'isolate');
  await story.slackSays(contained, 'Machine isolated');
  asked = await story.follow(() => story.attack());
  const mailed = (): boolean => story.mails(asked).length === 1 && story.mails(contained).length === 2;
  await eventually(() => mailed() || undefined, 'the mails');

  const base = story.system.approvalUrl;
  const told = linksIn(JSON.stringify([slack.messages(), mail.mails()]));
  const shown = [
    await harvest(stranger(base), told),
    await harvest(await session(base, 'Victor'), told),
    await harvest(await session(base, 'Alice'), told),
  ];
  world = {
    base,
    links: [...new Set([...shown.flatMap(({ links }) => links), ...told.flatMap(ofSignIn)])],
    forms: shown.flatMap(({ forms }) => forms),
    told,
  };
});
afterAll(async () => {
  await browser?.close();
  await story?.system.close();
});

/** What a link turns into on the way through sign-in, also where a recent one is asked for. */
function ofSignIn(link: string): string[] {
  const { origin, pathname } = new URL(link);
  const to = encodeURIComponent(`${pathname}?confirm=1`);
  return [`${link}?confirm=1`, `${origin}/login?to=${to}`, `${origin}/login?step=1&to=${to}`, `${origin}/signed-out`];
}

/** All that would follow from a decision, by the log and by LimaCharlie. */
async function consequences(): Promise<unknown> {
  await using operator = await connectOperator({ url: story.system.natsUrl, name: 'test' });
  const events: string[] = [];
  for await (const { subject, seq } of operator.read({ seq: 1, filter: filterOf('>') }))
    if (/\.(approval|isolation|release)\.[a-z]+$/.test(subject)) events.push(`${seq} ${subject}`);
  return { events, calls: [...story.parts.limaCharlie.calls.isolation] };
}

test('the corpus is large, and is let loose on what matters', () => {
  expect(FETCHERS.length + BROWSERS.length).toBeGreaterThanOrEqual(20);
  for (const id of [asked, contained]) expect(world.links).toContain(`${world.base}/approvals/${id}`);
  const actions = world.forms.map(({ action }) => action);
  for (const action of [`${asked}/review`, `${asked}/decide`, `${contained}/release`, 'logout'])
    expect(actions.some((candidate) => candidate.endsWith(`/${action}`))).toBe(true);
});

test.each(FETCHERS.map(({ name, loose }) => [name, loose] as const))('nothing is decided by %s', async (_, loose) => {
  const before = await consequences();
  const answers = await loose(world);
  expect(await consequences()).toEqual(before);
  // It got through to the pages: no limit stopped it, and nothing fell over.
  expect(answers.length).toBeGreaterThan(0);
  expect(answers.filter(({ status }) => status === 429 || status >= 500).map(({ url }) => url.href)).toEqual([]);
});

test.skipIf(withoutBrowser).each(BROWSERS.map(({ name, loose }) => [name, loose] as const))(
  `nothing is decided by %s, in a browser${withoutBrowser}`,
  async (_, loose) => {
    const before = await consequences();
    await loose(world, (options) =>
      browser.newContext({ ...options, extraHTTPHeaders: { 'x-forwarded-for': anAddress() } }),
    );
    expect(await consequences()).toEqual(before);
  },
);

test('the same forms, sent by a person from the page itself, are a decision and a release', async () => {
  const before = await consequences();
  const person = await session(world.base, 'Alice');
  const { forms } = await harvest(person, world.told);
  for (const action of [`/approvals/${asked}/decide`, `/approvals/${contained}/release`]) {
    const form = forms.find((candidate) => candidate.action === action); // a no, which one person can say alone
    if (!form) throw new Error(`no form for ${action}`);
    expect((await person.post(form.action, filled(form))).status).toBe(200);
  }
  await story.slackSays(asked, 'Machine not isolated.');
  await story.slackSays(contained, 'Machine released');
  expect(await consequences()).not.toEqual(before);
});
