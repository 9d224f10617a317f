import { createServer } from 'node:http';
import { once } from 'node:events';
import { type BrowserContext, type BrowserContextOptions, devices, type Page } from 'playwright-core';
import type { World } from './fetchers.ts';
import { filled } from './harvest.ts';

/** A scanner that is a browser: it opens the links for real, and does there what machines do. */
export type BrowsingFetcher = {
  name: string;
  loose: (world: World, open: (options?: BrowserContextOptions) => Promise<BrowserContext>) => Promise<void>;
};

const STEPS_MAX = 12;

/** Opens every link and then, on every page that is ours, submits every form and presses every button. */
function presses(name: string, options: BrowserContextOptions = {}, who?: string): BrowsingFetcher {
  return {
    name,
    async loose({ base, links }, open) {
      const context = await open(options);
      const page = await context.newPage();
      const seen = new Set<string>();
      for (const link of links) {
        for (let step = 0; step < STEPS_MAX; step++) {
          // One of the buttons signs out.
          if (who !== undefined && !(await isSignedIn(context))) await signIn(page, base, who);
          await page.goto(link);
          // The provider's own page is where it ends: the stand-in signs in at one click, real ones ask for a password.
          if (new URL(page.url()).origin !== base || seen.has(page.url()) || !(await takeStep(page, step))) break;
        }
        seen.add(page.url()); // many links lead to one page
      }
      await context.close();
    },
  };
}

/** Fills everything in and presses the button of this number; where there are no more, submits the forms as scripts do. */
async function takeStep(page: Page, step: number): Promise<boolean> {
  for (const box of await page.getByRole('textbox').all()) await box.fill('looks fine to a machine');
  for (const box of await page.getByRole('checkbox').or(page.getByRole('radio')).all()) await box.check();
  const buttons = page.getByRole('button');
  const count = await buttons.count();
  const form = page.locator('form').nth(step - count);
  if (step < count) await buttons.nth(step).click();
  else if (step - count < (await page.locator('form').count()))
    await form.evaluate((element) => Reflect.apply(Reflect.get(element, 'submit'), element, []));
  else return false;
  await page.waitForLoadState('networkidle');
  return true;
}

/** Leads an approver's own browser, signed in, to a page of somebody else that does something with our links. */
function lures(name: string, pageFor: (world: World) => string): BrowsingFetcher {
  return {
    name,
    async loose(world, open) {
      const context = await open();
      const page = await context.newPage();
      await signIn(page, world.base, 'Alice');
      // Another site than ours, for browsers: sites have names, and do not differ by port.
      const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(pageFor(world)));
      server.listen(0, 'localhost');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      await page.goto(`http://localhost:${port}/`);
      await page.waitForLoadState('networkidle');
      await context.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

export const BROWSERS: BrowsingFetcher[] = [
  presses('a scanner that presses everything'),
  presses('a scanner that presses everything, without scripts', { javaScriptEnabled: false }),
  presses('a scanner that presses everything, as a phone', devices['iPhone 15'] ?? {}),
  presses("a scanner that presses everything, with a viewer's session", {}, 'Victor'),
  lures('a page that prefetches and prerenders', ({ links }) => {
    const rules = {
      prefetch: [{ urls: links, eagerness: 'immediate' }],
      prerender: [{ urls: links, eagerness: 'immediate' }],
    };
    const hints = ['prefetch', 'prerender', 'preconnect'].flatMap((rel) =>
      links.map((link) => `<link rel="${rel}" href="${link}">`),
    );
    return `${hints.join('')}<script type="speculationrules">${JSON.stringify(rules)}</script>`;
  }),
  lures('a page that posts our forms', ({ base, forms }) =>
    forms
      .map((form, index) => {
        const fields = Object.entries(filled(form)).map(([name, value]) => `<input name="${name}" value="${value}">`);
        return `<iframe name="f${index}"></iframe>
          <form method="post" action="${base}${form.action}" target="f${index}">${fields.join('')}</form>
          <script>document.forms[${index}].submit()</script>`;
      })
      .join(''),
  ),
  lures('a page that embeds', ({ links }) =>
    links.map((link) => `<iframe src="${link}"></iframe><img src="${link}"><script src="${link}"></script>`).join(''),
  ),
];

async function isSignedIn(context: BrowserContext): Promise<boolean> {
  return (await context.cookies()).some(({ name }) => name === '__Host-cordon_sid');
}

async function signIn(page: Page, base: string, who: string): Promise<void> {
  await page.goto(base);
  await page.getByRole('button', { name: new RegExp(`Sign in as ${who}`) }).click();
  await page.getByRole('heading', { name: 'Incidents' }).waitFor();
}
