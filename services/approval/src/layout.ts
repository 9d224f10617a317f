import { type Content, html } from '@cordon/html';
import { SCRIPT, STYLE } from './assets.ts';
import type { SignedIn } from './sign-in.ts';

export type Frame = {
  /** Title of the browser tab: the state first. */
  title: string;
  signedIn?: { who: SignedIn; logoutToken: string } | undefined;
  /** Path of the event stream that tells the script when to look again. */
  events?: string;
};

/** A whole page around its content. */
export function page({ title, signedIn, events }: Frame, content: Content): string {
  return `<!doctype html>${html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Cordon</title>
<link rel="stylesheet" href="${STYLE.path}">
${events && html`<script src="${SCRIPT.path}" defer></script>`}
</head>
<body data-events="${events ?? ''}">
<a class="skip" href="#content">Skip to content</a>
<header class="top">
<a class="brand" href="/">Cordon</a>
${
  signedIn &&
  html`<form method="post" action="/logout" class="who">
<span>${signedIn.who.person.name} <span class="role">${signedIn.who.role}</span></span>
<input type="hidden" name="csrf" value="${signedIn.logoutToken}">
<button class="link">Sign out</button>
</form>`
}
</header>
<main id="content">${content}</main>
</body>
</html>`}`;
}

/** An instant, exact for machines and readable for people (UTC; the script turns it into the reader's own time). */
export function time(iso: string, more: { deadline?: boolean } = {}): Content {
  return html`<time datetime="${iso}"${more.deadline && html` data-deadline`}>${readable(iso)}</time>`;
}

function readable(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}
