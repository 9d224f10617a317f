import { page } from './layout.ts';
import { html } from './visible.ts';

/** A page that says one thing and where to go from there. */
export function messagePage(title: string, text: string, link: { href: string; text: string }): string {
  return page(
    { title },
    html`<h1>${title}</h1>
      <p>${text}</p>
      <p><a class="button" href="${link.href}">${link.text}</a></p>`,
  );
}
