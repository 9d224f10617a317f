import { aDetection } from '@cordon/contracts/builders';
import type { Incident } from '@cordon/incident';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Lab, STALE, startLab } from '../../services/approval/src/page-lab.ts';
import type { Person } from '../e2e/person.ts';
import { findings } from './axe.ts';
import { startBrowser, withoutBrowser } from './browser.ts';

/** The pages for people who do not see them, use no mouse, or hold a phone. */

let lab: Lab;
let browser: Browser;
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  if (withoutBrowser) return;
  lab = await startLab();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await lab?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});

const NAME = '__Host-cordon_sid';
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

/** A browser with the session of a person, or of nobody. */
async function open(person: Person | undefined): Promise<Page> {
  const context = await browser.newContext({ baseURL: lab.url });
  contexts.push(context);
  const value = person?.cookie(NAME);
  if (value !== undefined)
    await context.addCookies([{ name: NAME, value, domain: '127.0.0.1', path: '/', secure: true, sameSite: 'Lax' }]);
  return context.newPage();
}

async function answer(page: Page, { id }: Incident, choice: 'Yes' | 'No'): Promise<void> {
  await page.goto(`/approvals/${id}`);
  await page.getByRole('radio', { name: new RegExp(`^${choice}`) }).check();
  await page.getByLabel('Reason').fill('seen in the test');
  await page.getByRole('button', { name: 'Continue' }).click();
}

/** Presses Tab until it is there, and looks whether one would see that. */
async function tabTo(wanted: Locator): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await wanted.page().keyboard.press('Tab');
    if (!(await wanted.evaluate((element) => element.matches(':focus')))) continue;
    expect(await wanted.page().evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    return;
  }
  throw new Error(`Tab does not lead to ${String(wanted)}`);
}

/** Every state of the pages, by how one gets there. */
const STATES: Record<string, () => Promise<Page>> = {
  list: async () => {
    await lab.contained();
    await lab.asked();
    const page = await open(await lab.signedIn());
    await page.goto('/');
    await page.getByRole('heading', { name: 'Incidents' }).waitFor();
    return page;
  },
  question: async () => {
    const { id } = await lab.asked();
    const page = await open(await lab.signedIn());
    await page.goto(`/approvals/${id}`);
    await page.getByRole('button', { name: 'Continue' }).waitFor();
    return page;
  },
  'question with a long command line': async () => {
    const { id } = await lab.asked({ detection: aDetection({ commandLine: `LaZagne.exe ${'all '.repeat(3000)}` }) });
    const page = await open(await lab.signedIn());
    await page.goto(`/approvals/${id}`);
    await page.getByRole('link', { name: 'more characters' }).waitFor();
    return page;
  },
  'facts in full': async () => {
    const { id } = await lab.asked({ detection: aDetection({ commandLine: `LaZagne.exe ${'all '.repeat(3000)}` }) });
    const page = await open(await lab.signedIn());
    await page.goto(`/approvals/${id}/facts`);
    await page.getByRole('heading', { name: 'What happened on' }).waitFor();
    return page;
  },
  'question, for a viewer': async () => {
    const { id } = await lab.asked();
    const page = await open(await lab.signedIn({ name: 'Victor', role: 'viewer' }));
    await page.goto(`/approvals/${id}`);
    await page.getByText('deciding needs the approver role').waitFor();
    return page;
  },
  'question, answered badly': async () => {
    const incident = await lab.asked();
    const page = await open(await lab.signedIn());
    await page.goto(`/approvals/${incident.id}`);
    await page.locator('form.decision').evaluate((form) => form.setAttribute('novalidate', ''));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').waitFor();
    return page;
  },
  'confirmation of a no': async () => {
    const page = await open(await lab.signedIn());
    await answer(page, await lab.asked(), 'No');
    await page.getByRole('button', { name: /^Keep/ }).waitFor();
    return page;
  },
  'confirmation of a yes': async () => {
    const page = await open(await lab.signedIn());
    await answer(page, await lab.asked(), 'Yes');
    await page.getByRole('button', { name: /^Isolate/ }).waitFor();
    return page;
  },
  'one yes of two': async () => {
    const page = await open(await lab.signedIn());
    await answer(page, await lab.asked({ votesNeeded: 2 }), 'Yes');
    await page.getByRole('button', { name: /^Isolate/ }).click();
    await page.getByText('one more yes is missing').waitFor();
    return page;
  },
  'step-up': async () => {
    const page = await open(await lab.signedIn(STALE));
    await answer(page, await lab.asked(), 'Yes');
    await page.getByRole('link', { name: 'Sign in again' }).waitFor();
    return page;
  },
  decided: async () => {
    const page = await open(await lab.signedIn());
    await answer(page, await lab.asked(), 'No');
    await page.getByRole('button', { name: /^Keep/ }).click();
    await page.getByText('Machine not isolated.').waitFor();
    return page;
  },
  contained: async () => {
    const { id } = await lab.contained();
    const page = await open(await lab.signedIn());
    await page.goto(`/approvals/${id}`);
    await page.getByRole('status').getByText('Machine isolated').waitFor();
    return page;
  },
  'release form': async () => {
    const { id } = await lab.contained();
    const page = await open(await lab.signedIn());
    await page.goto(`/approvals/${id}/release`);
    await page.getByRole('checkbox').waitFor();
    return page;
  },
  passkeys: async () => {
    const page = await open(await lab.signedIn());
    await page.goto('/passkeys');
    await page.getByRole('button', { name: 'Add a passkey' }).waitFor();
    return page;
  },
  'nothing here': async () => {
    const page = await open(await lab.signedIn());
    await page.goto('/approvals/nothing');
    await page.getByRole('heading', { name: 'There is nothing here' }).waitFor();
    return page;
  },
  'signed out': async () => {
    const page = await open(undefined);
    await page.goto('/signed-out');
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
    return page;
  },
};

test.skipIf(withoutBrowser).each(Object.keys(STATES))(
  `axe has nothing to say about the page: %s${withoutBrowser}`,
  async (state) => {
    const page = await STATES[state]?.();
    if (!page) throw new Error(`no state ${state}`);
    for (const viewport of [DESKTOP, PHONE]) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await findings(page), `${colorScheme}, ${viewport.width} px`).toEqual([]);
      }
      expect(await page.locator('html').evaluate((root) => root.scrollWidth)).toBeLessThanOrEqual(viewport.width);
    }
  },
);

test.skipIf(withoutBrowser)(`a decision needs no mouse${withoutBrowser}`, async () => {
  const incident = await lab.asked();
  const { id, hostname } = incident;
  const page = await open(await lab.signedIn());
  await page.goto('/');

  await tabTo(page.getByRole('link', { name: 'Skip to content' }));
  await page.keyboard.press('Enter');
  await tabTo(page.locator(`a[href="/approvals/${id}"]`));
  await page.keyboard.press('Enter');
  await page.waitForURL(`**/approvals/${id}`);

  await tabTo(page.getByRole('radio', { name: /^No/ })); // the first of the group, and not chosen by that
  expect(await page.getByRole('radio').evaluateAll((radios) => radios.some((radio) => radio.matches(':checked')))).toBe(
    false,
  );
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowDown');
  expect(await page.getByRole('radio', { name: /^Yes/ }).isChecked()).toBe(true);
  await tabTo(page.getByRole('textbox', { name: 'Reason' }));
  await page.keyboard.type('seen from the keyboard');
  await tabTo(page.getByRole('button', { name: 'Continue' }));
  await page.keyboard.press('Enter');

  await page.getByRole('heading', { level: 1, name: `Isolate ${hostname} now?` }).waitFor();
  await tabTo(page.getByRole('button', { name: `Isolate ${hostname}` }));
  await page.keyboard.press('Space');
  await page.getByRole('status').getByText('Isolation decided').waitFor();
  expect((await lab.now(incident)).decision).toMatchObject({ outcome: 'isolate', reason: 'seen from the keyboard' });
});

test.skipIf(withoutBrowser)(
  `a screen reader is told the question first, then how to answer${withoutBrowser}`,
  async () => {
    const { id } = await lab.asked();
    const page = await open(await lab.signedIn());
    await page.goto(`/approvals/${id}`);
    expect(await page.title()).toBe('Waiting for a decision - win-srv-07 · Cordon');
    const tree = await page.getByRole('main').ariaSnapshot();
    const wanted = [
      '- heading "Isolate win-srv-07?" [level=1]',
      '- status:',
      '- region "What happened":',
      '- region "Your decision":',
      '- group "Isolate win-srv-07?":',
      '- radio "No, keep it connected',
      '- radio "Yes, isolate it',
      '- textbox "Reason"',
      '- button "Continue"',
      '- region "History":',
    ];
    expect(wanted.map((line) => [line, tree.indexOf(line) >= 0])).toEqual(wanted.map((line) => [line, true]));
    const places = wanted.map((line) => tree.indexOf(line));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(tree).not.toContain('[checked]');
  },
);
