import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { z } from 'zod';

const Findings = z.array(
  z.object({ id: z.string(), help: z.string(), nodes: z.array(z.object({ html: z.string() })) }),
);
const Results = z.object({ violations: Findings, incomplete: Findings });

const OPTIONS = JSON.stringify({ resultTypes: ['violations', 'incomplete'] }); // the rest takes time and says nothing

/** What axe finds wrong on a page as it is now, and what it could not judge: rule, what it wants, and where. */
export async function findings(page: Page): Promise<string[]> {
  // As a debugger does: the page's own policy lets no foreign script in.
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(axe.source);
  // A symbol only repeats the words beside it, and one character is too short for axe to judge.
  const results = Results.parse(await page.evaluate(`axe.run({ exclude: '.symbol[aria-hidden]' }, ${OPTIONS})`));
  return [...results.violations, ...results.incomplete].map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`,
  );
}
