import type { Content } from '@cordon/html';
import { PASSKEY_SCRIPT } from './assets.ts';
import { type Frame, page, time } from './layout.ts';
import type { Passkey } from './passkeys.ts';
import { html, verbatim } from './visible.ts';

/** A reader's passkeys, and how to add one: only right after signing in. */
export function passkeyPage(
  frame: Omit<Frame, 'title' | 'script'>,
  known: Passkey[],
  adding?: { options: object; csrf: string },
): string {
  const title = 'Your passkeys';
  return page(
    { ...frame, title, ...(adding && { script: PASSKEY_SCRIPT.path }) },
    html`<h1>${title}</h1>
      <p>Where the policy asks for it, a yes is signed with a passkey: it proves that you saw exactly those facts.</p>
      ${
        known.length === 0
          ? html`<p>You have none yet.</p>`
          : html`<ul>
            ${known.map((passkey) => html`<li>added ${time(passkey.addedAt)}</li>`)}
          </ul>`
      }
      ${
        adding
          ? html`<form method="post" action="/passkeys" data-passkey="create" data-options="${verbatim(JSON.stringify(adding.options))}">
            <input type="hidden" name="csrf" value="${adding.csrf}" />
            ${passkeyField()}
            <button class="primary" disabled>Add a passkey</button>
          </form>`
          : html`<p>To add one, your sign-in must be at most five minutes old.</p>
            <p><a class="button" href="/login?step=1&amp;to=${encodeURIComponent('/passkeys')}">Sign in again</a></p>`
      }`,
  );
}

/** The field that the script fills in, and what is said where it cannot. */
export function passkeyField(): Content {
  return html`<input type="hidden" name="passkey" value="" />
    <p class="notice" role="alert" data-trouble hidden></p>
    <noscript><p class="notice">A passkey needs JavaScript.</p></noscript>`;
}
