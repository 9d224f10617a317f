import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Story } from '../e2e/story.ts';
import { screenshot, startBrowser, watchForTrouble, withoutBrowser } from './browser.ts';

/** The whole job in a real browser, with and without JavaScript, on a desktop and on a phone. */

let story: Story;
let browser: Browser;
const contexts: BrowserContext[] = [];
const troubles: string[][] = [];

beforeAll(async () => {
  if (withoutBrowser) return;
  story = await Story.begin();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await story?.system.close();
});
afterEach(async () => {
  if (withoutBrowser) return;
  for (const context of contexts.splice(0)) await context.close();
  await story.tidy();
  expect(troubles.splice(0).flat()).toEqual([]);
});

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

async function open(
  options: { javaScriptEnabled?: boolean; viewport?: typeof DESKTOP; colorScheme?: 'light' | 'dark' } = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  contexts.push(context);
  troubles.push(watchForTrouble(context));
  return context.newPage();
}

/** Follows the link from Slack: sign-in comes first, and leads back to the incident. */
async function follow(page: Page, id: string, name = 'Alice'): Promise<void> {
  await page.goto(`${story.system.approvalUrl}/approvals/${id}`);
  await page.getByRole('button', { name: new RegExp(`Sign in as ${name}`) }).click();
  await page.waitForURL(`${story.system.approvalUrl}/approvals/${id}`);
}

async function answer(page: Page, choice: 'Yes' | 'No'): Promise<void> {
  await page.getByRole('radio', { name: new RegExp(`^${choice}`) }).check();
  await page.getByLabel('Reason').fill('seen in the test');
  await page.getByRole('button', { name: 'Continue' }).click();
}

test.skipIf(withoutBrowser)(`no, in a browser${withoutBrowser}`, async () => {
  const id = await story.follow(() => story.attack());
  const page = await open();
  await follow(page, id);
  await page.getByRole('heading', { level: 1, name: 'Isolate win-srv-07?' }).waitFor();
  await screenshot(page, 'question-desktop');
  expect(await page.getByRole('radio').evaluateAll((radios) => radios.some((radio) => radio.matches(':checked')))).toBe(
    false,
  );
  await answer(page, 'No');
  await screenshot(page, 'confirm-no-desktop');
  await page.getByRole('button', { name: 'Keep win-srv-07 connected' }).click();
  await page.getByText('Machine not isolated.').waitFor();
  await screenshot(page, 'left-desktop');
  await story.slackSays(id, 'Machine not isolated.');
  expect(story.isolations()).toBe(0);
});

test.skipIf(withoutBrowser)(`yes, with live status, and release, in a browser${withoutBrowser}`, async () => {
  const id = await story.follow(() => story.attack());
  const page = await open();
  await follow(page, id);
  await answer(page, 'Yes');
  await screenshot(page, 'confirm-yes-desktop');
  await page.getByRole('button', { name: 'Isolate win-srv-07' }).click();
  await page.getByRole('status').getByText('Machine isolated').waitFor(); // without a click: the page follows by itself
  await screenshot(page, 'contained-desktop');
  await story.slackSays(id, 'Machine isolated');

  await page.getByRole('link', { name: /Release win-srv-07/ }).click();
  await screenshot(page, 'release-desktop');
  await page.getByRole('checkbox').check();
  await page.getByLabel('Reason').fill('cleaned and checked');
  await page.getByRole('button', { name: 'Release win-srv-07' }).click();
  await page.getByRole('status').getByText('Machine released').waitFor();
  await screenshot(page, 'released-desktop');
  await story.slackSays(id, 'Machine released');
});

test.skipIf(withoutBrowser)(
  `yes with the machine offline and coming back, on a phone, in the dark${withoutBrowser}`,
  async () => {
    const id = await story.follow(() => story.attack());
    story.parts.limaCharlie.setOnline(story.parts.machine.sid, false);
    const page = await open({ viewport: PHONE, colorScheme: 'dark' });
    await follow(page, id);
    await screenshot(page, 'question-phone-dark');
    expect(await page.locator('html').evaluate((root) => root.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
    await answer(page, 'Yes');
    await screenshot(page, 'confirm-yes-phone-dark');
    await page.getByRole('button', { name: 'Isolate win-srv-07' }).click();
    await page.getByRole('status').getByText('machine offline').waitFor();
    await screenshot(page, 'pending-phone-dark');
    story.parts.limaCharlie.setOnline(story.parts.machine.sid, true);
    await page.getByRole('status').getByText('Machine isolated').waitFor();
  },
);

test.skipIf(withoutBrowser)(`everything works with JavaScript off, on a phone${withoutBrowser}`, async () => {
  const id = await story.follow(() => story.attack());
  const page = await open({ javaScriptEnabled: false, viewport: PHONE });
  await follow(page, id);
  await screenshot(page, 'question-phone');
  await answer(page, 'Yes');
  await page.getByRole('button', { name: 'Isolate win-srv-07' }).click();
  await story.slackSays(id, 'Machine isolated');
  await page.getByRole('link', { name: 'Refresh status' }).click();
  await page.getByRole('status').getByText('Machine isolated').waitFor();
  await screenshot(page, 'contained-phone');
  await page.getByRole('link', { name: /Release win-srv-07/ }).click();
  await page.getByRole('checkbox').check();
  await page.getByLabel('Reason').fill('cleaned and checked');
  await screenshot(page, 'release-phone');
  await page.getByRole('button', { name: 'Release win-srv-07' }).click();
  await story.slackSays(id, 'Machine released');
  await page
    .getByRole('link', { name: 'All incidents' })
    .or(page.getByRole('link', { name: 'Cordon', exact: true }))
    .first()
    .click();
  await screenshot(page, 'list-phone');
});

test.skipIf(withoutBrowser)(
  `the list shows a new incident by itself, and a viewer can look but not decide${withoutBrowser}`,
  async () => {
    const page = await open();
    await page.goto(story.system.approvalUrl);
    await page.getByRole('button', { name: /Sign in as Victor/ }).click();
    await page.getByRole('heading', { name: 'Incidents' }).waitFor();
    const id = await story.follow(() => story.attack());
    await page.getByRole('link', { name: /Decide/ }).waitFor();
    await screenshot(page, 'list-desktop');
    await page.getByRole('link', { name: /Decide/ }).click();
    await page.getByText('deciding needs the approver role').waitFor();
    expect(page.url()).toContain(id);
    expect(await page.getByRole('radio').count()).toBe(0);
  },
);

test.skipIf(withoutBrowser)(`two approvers: the page of the second says who won${withoutBrowser}`, async () => {
  const id = await story.follow(() => story.attack());
  const [first, second] = [await open(), await open()];
  await follow(first, id, 'Alice');
  await follow(second, id, 'Bob');
  await answer(second, 'Yes');
  await answer(first, 'No');
  await first.getByRole('button', { name: 'Keep win-srv-07 connected' }).click();
  await first.getByText('Machine not isolated.').waitFor();
  await second.getByRole('button', { name: 'Isolate win-srv-07' }).click();
  await second.getByText('Alice Approver already decided').waitFor();
  await screenshot(second, 'lost-the-race-desktop');
});

test.skipIf(withoutBrowser)(
  `coming from another site keeps the session, and the page cannot be framed${withoutBrowser}`,
  async () => {
    const id = await story.follow(() => story.attack());
    const page = await open();
    await follow(page, id);
    const url = `${story.system.approvalUrl}/approvals/${id}`;
    await page.goto('data:text/html,'.concat(encodeURIComponent(`<a href="${url}">to the incident</a>`)));
    await page.getByRole('link').click();
    await page.getByRole('heading', { name: 'Isolate win-srv-07?' }).waitFor(); // no sign-in in between

    const framed = await open();
    troubles.splice(0); // blocking is what is expected here
    await framed.setContent(`<iframe src="${url}"></iframe>`);
    await expect.poll(() => framed.frames().some((frame) => frame.url().startsWith('chrome-error:'))).toBe(true);
  },
);
