import type { Content } from '@cordon/html';
import type { Incident } from '@cordon/incident';
import { PASSKEY_SCRIPT } from './assets.ts';
import { facts } from './facts.ts';
import { effect, isAwaitingSensor, reasonField, type Returned } from './incident-page.ts';
import { type Frame, page } from './layout.ts';
import { passkeyField } from './passkey-page.ts';
import { html, verbatim } from './visible.ts';

export type Choice = { choice: 'isolate' | 'leave'; reason: string };
export type Proof = {
  csrf: string;
  digest: string;
  /** What the reader's passkey is asked to sign, where the policy wants that; `none` where the reader has none. */
  passkey?: object | 'none' | undefined;
};

/** The last look before a decision: the choice in words, and one button that names what it does. */
export function confirmPage(
  frame: Omit<Frame, 'title'>,
  incident: Incident,
  { choice, reason }: Choice,
  { passkey, ...proof }: Proof,
): string {
  const isolate = choice === 'isolate';
  const title = isolate ? `Isolate ${incident.hostname} now?` : `Keep ${incident.hostname} connected?`;
  return page(
    { ...frame, title, ...(typeof passkey === 'object' && { script: PASSKEY_SCRIPT.path }) },
    html`<h1>${title}</h1>
      ${isolate ? effect(incident) : html`<p>Nothing will be done to the machine. Slack will say “Machine not isolated.” with your name.</p>`}
      <p>Your reason: “${reason}”</p>
      ${
        passkey === 'none'
          ? html`<p class="notice">
              A yes about this machine has to be signed with a passkey, and you have none.
              <a href="/passkeys">Add a passkey</a>, then come back.
            </p>`
          : html`<form
            method="post"
            action="/approvals/${incident.id}/decide"
            class="confirm"
            ${passkey && html`data-passkey="get" data-options="${verbatim(JSON.stringify(passkey))}"`}
          >
            ${hidden({ ...proof, choice, reason })} ${passkey && passkeyField()}
            <button class="${isolate ? 'danger' : 'primary'}" ${passkey && html`disabled`}>
              ${isolate ? 'Isolate' : 'Keep'} ${incident.hostname}${!isolate && ' connected'}
            </button>
            <a class="back" href="/approvals/${incident.id}">Go back</a>
          </form>`
      }
      <section aria-labelledby="facts-title">
        <h2 id="facts-title">You decide on this</h2>
        ${facts(incident)}
      </section>`,
  );
}

/** A yes needs a recent sign-in. A link, not a redirect: a form's answer may not lead to another site. */
export function stepUpPage(frame: Omit<Frame, 'title'>, incident: Incident, what: string, returnTo: string): string {
  const title = 'Confirm that it is you';
  return page(
    { ...frame, title },
    html`<h1>${title}</h1>
      <p>
        To ${what} ${incident.hostname}, your sign-in must be at most five minutes old. What you entered is kept;
        nothing has happened yet.
      </p>
      <p>
        <a class="button" href="/login?step=1&amp;to=${encodeURIComponent(returnTo)}">Sign in again</a>
        <a class="back" href="/approvals/${incident.id}">Go back</a>
      </p>`,
  );
}

/** Asking for the release: as serious as the isolation was. Where the sensor has not followed yet, it cancels the isolation. */
export function releasePage(
  frame: Omit<Frame, 'title'>,
  incident: Incident,
  csrf: string,
  returned: Partial<Returned>,
): string {
  const words = isAwaitingSensor(incident) ? CANCEL : RELEASE;
  const action = `${words.action} ${incident.hostname}`;
  return page(
    { ...frame, title: `${action}?` },
    html`<h1>${action}?</h1>
      ${returned.message && html`<p class="notice" role="alert">${returned.message}</p>`}
      <p>${words.effect(html`<strong>${incident.hostname}</strong>`)}</p>
      <form method="post" action="/approvals/${incident.id}/release" class="decision" autocomplete="off">
        ${hidden({ csrf })}
        <label class="choice"
          ><input type="checkbox" name="checked" value="yes" required />
          <span>${words.check}</span></label
        >
        ${reasonField(returned.reason)}
        <button class="danger">${action}</button>
        <a class="back" href="/approvals/${incident.id}">Go back</a>
      </form>
      <section aria-labelledby="facts-title">
        <h2 id="facts-title">${words.facts}</h2>
        ${facts(incident)}
      </section>`,
  );
}

const RELEASE = {
  action: 'Release',
  effect: (host: Content): Content =>
    html`Releasing connects ${host} to the network again. Whatever runs on it can reach out, and be reached, at once.
    Make sure that it is clean.`,
  check: html`<strong>The machine was examined</strong> and may go back to the network.`,
  facts: 'Why it was isolated',
};
const CANCEL = {
  action: 'Cancel the isolation of',
  effect: (host: Content): Content =>
    html`LimaCharlie was told to isolate ${host}, and its sensor has not said that it did. Cancelling takes that back: the
    machine stays connected, or is reconnected at once.`,
  check: html`<strong>The machine may stay connected,</strong> although it was decided to isolate it.`,
  facts: 'Why it was to be isolated',
};

function hidden(fields: Record<string, string>): Content {
  return Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${verbatim(value)}" />`,
  );
}
