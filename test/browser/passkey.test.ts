import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@cordon/sandbox';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Story } from '../e2e/story.ts';
import { screenshot, startBrowser, watchForTrouble, withoutBrowser } from './browser.ts';

/** A yes that is signed by a passkey, in a real browser with a virtual authenticator. */

let story: Story;
let browser: Browser;
let page: Page;
let trouble: string[] = [];

beforeAll(async () => {
  if (withoutBrowser) return;
  const policy = join(await mkdtemp(join(tmpdir(), 'cordon-policy-')), 'policy.yaml');
  await writeFile(policy, 'tiers:\n  - name: all\n    passkey: true\n');
  const approval = await freePort();
  // A passkey belongs to a host name, and an address is none.
  story = await Story.begin({
    env: { POLICY_FILE: policy, PUBLIC_URL: `http://localhost:${approval}` },
    ports: { approval },
  });
  browser = await startBrowser();
  const context = await browser.newContext();
  trouble = watchForTrouble(context);
  page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
});
afterAll(async () => {
  await browser?.close();
  await story?.system.close();
});

test.skipIf(withoutBrowser)(`a yes has to be signed by a passkey that its owner added${withoutBrowser}`, async () => {
  const id = await story.follow(() => story.attack());
  const address = `${story.system.approvalUrl}/approvals/${id}`;
  await page.goto(address);
  await page.getByRole('button', { name: /Sign in as Alice/ }).click();
  await page.waitForURL(address);

  const answer = async (): Promise<void> => {
    await page.getByRole('radio', { name: /^Yes/ }).check();
    await page.getByLabel('Reason').fill('seen in the test');
    await page.getByRole('button', { name: 'Continue' }).click();
  };
  await answer();
  await page.getByText('you have none').waitFor();
  await page.getByRole('link', { name: 'Add a passkey' }).click();
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('listitem').filter({ hasText: 'added' }).waitFor();

  // Without the signature nothing is taken, whatever the form says.
  await page.goto(address);
  await answer();
  const fields = await page
    .locator('form[data-passkey] input[type=hidden]')
    .evaluateAll((inputs) => inputs.map((input) => [input.getAttribute('name'), input.getAttribute('value')]));
  for (const passkey of ['', '{}', JSON.stringify({ id: 'x', rawId: 'x', type: 'public-key' })]) {
    const form = { ...Object.fromEntries(fields), passkey };
    const headers = { origin: story.system.approvalUrl };
    const refused = await page.request.post(`${address}/decide`, { form, headers });
    expect(refused.status()).toBe(403);
    expect(await refused.text()).toContain('has to be signed with your passkey');
  }
  expect(story.isolations()).toBe(0);

  await screenshot(page, 'confirm-passkey');
  await page.getByRole('button', { name: 'Isolate win-srv-07' }).click();
  await page.waitForURL(address);
  await page.getByText('Machine isolated').first().waitFor({ timeout: 30_000 });
  expect(story.isolations()).toBe(1);
  expect(trouble).toEqual([]);
});
