import type { Form, Person } from '../e2e/person.ts';

export const REASON = 'looks fine to a machine';
export type Harvest = { links: string[]; forms: Form[] };

/** Every link in a text that leads to a machine of ours: nothing else may be fetched by a test. */
export function linksIn(text: string): string[] {
  const found = text.replaceAll('&amp;', '&').match(/https?:\/\/[^\s"'<>\\|)]+/g) ?? [];
  return [...new Set(found.filter((link) => new URL(link).hostname === '127.0.0.1'))];
}

/** A form as a machine fills it in: hidden fields as they are, the last choice of each, and something in every text. */
export function filled({ fields, blanks }: Form): Record<string, string> {
  const given = Object.entries(blanks).map(([name, values]) => [name, values.at(-1) ?? REASON]);
  return { ...fields, ...Object.fromEntries(given) };
}

/**
 * Opens links, what is linked from there, and what the first step of each form shows. Only what a person may do without
 * any effect: no form is sent that decides.
 */
export async function harvest(person: Person, start: readonly string[]): Promise<Harvest> {
  const links = new Set(start);
  const forms = new Map<string, Form>(); // each once: one session is told the same fields everywhere
  const keep = (form: Form): void => void forms.set(JSON.stringify(form), form);
  for (const link of links) {
    const page = await person.get(link);
    if (page.url.origin !== person.base) continue;
    links.add(page.url.href);
    for (const [, found = ''] of page.body.matchAll(/\b(?:href|src|action)="([^"]+)"/g)) {
      const target = new URL(found.replaceAll('&amp;', '&'), page.url);
      target.hash = '';
      if (target.origin === person.base) links.add(target.href);
    }
    for (const form of page.forms()) {
      keep(form);
      if (!form.action.endsWith('/review')) continue;
      for (const choice of form.blanks['choice'] ?? [])
        (await person.post(form.action, { ...filled(form), choice })).forms().forEach(keep);
    }
  }
  return { links: [...links], forms: [...forms.values()] };
}
