import type { Content } from '@cordon/html';
import { ICON, SCRIPT, STYLE } from './assets.ts';
import type { SignedIn } from './session-store.ts';
import { html, plainText, verbatim } from './visible.ts';

export type Frame = {
  /** Title of the browser tab: the state first. */
  title: string;
  signedIn?: { who: SignedIn; logoutToken: string } | undefined;
  /** Path of the event stream that tells the script when to look again. */
  events?: string;
  /** Path of a script that this page needs. */
  script?: string | undefined;
};

/** A whole page around its content. */
export function page({ title, signedIn, events, script }: Frame, content: Content): string {
  const markup = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>${verbatim(plainText(title))} · Cordon</title>
      <link rel="icon" href="${ICON.path}" />
      <link rel="stylesheet" href="${STYLE.path}" />
      ${events && html`<script src="${SCRIPT.path}" defer></script>`}
      ${script && html`<script src="${script}" defer></script>`}
    </head>
    <body data-events="${events ?? ''}">
      <a class="skip" href="#content">Skip to content</a>
      <header class="top">
        <a class="brand" href="/">Cordon</a>
        ${
          signedIn &&
          html`<form method="post" action="/logout" class="who">
            <span>${signedIn.who.person.name} <span class="role">${signedIn.who.role}</span></span>
            <input type="hidden" name="csrf" value="${signedIn.logoutToken}" />
            <button class="link">Sign out</button>
          </form>`
        }
      </header>
      <main id="content">${content}</main>
    </body>
  </html>`;
  return `<!doctype html>${markup.toString()}`;
}

/** An instant, exact for machines and readable for people (UTC; the script turns it into the reader's own time). */
export function time(iso: string, more: { deadline?: boolean } = {}): Content {
  return html`<time datetime="${iso}" ${more.deadline && html` data-deadline`}
    >${readable(iso)}${more.deadline && remaining(iso)}</time
  >`;
}

function remaining(iso: string): string {
  const minutes = Math.round((Date.parse(iso) - Date.now()) / 60_000);
  return minutes > 0 ? ` (in ${minutes} min)` : ' (now)';
}

function readable(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}
