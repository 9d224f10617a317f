import { html, type Html } from '@cordon/html';
import type { ReceivedMail } from './mail.ts';

/** The mailbox as a list of threads, the latest first. `hrefOf` says where a mail is shown. Goes with `mailStyles`. */
export function renderMailbox(mails: ReceivedMail[], hrefOf: (mail: ReceivedMail) => string): Html {
  const threads = groupByThread(mails).toSorted((a, b) => lastAt(b).localeCompare(lastAt(a)));
  return html`<section class="mailbox" aria-label="Mailbox">
    ${threads.length === 0 && html`<p class="mail-empty">No mail yet.</p>`}
    ${threads.map(
      (thread) =>
        html`<ol class="mail-thread">
          ${thread.map((mail) => renderRow(mail, hrefOf(mail)))}
        </ol>`,
    )}
  </section>`;
}

function renderRow(mail: ReceivedMail, href: string): Html {
  return html`<li>
    <a href="${href}">${mail.subject || '(no subject)'}</a>
    <span class="mail-meta">
      to ${mail.recipients.join(', ')} at
      <time datetime="${mail.receivedAt}" title="${mail.receivedAt}">${mail.receivedAt.slice(11, 16)} UTC</time>
      ${mail.deliveries > 1 && html`<b>delivered ${mail.deliveries} times</b>`}
    </span>
  </li>`;
}

/**
 * One mail with both of its bodies. The HTML one stands in a frame without scripts, forms or an origin of its own; its
 * links open in a new tab, as those of a web mailer do.
 */
export function renderMail(mail: ReceivedMail): Html {
  const headers: [name: string, value: string | undefined][] = [
    ['From', mail.from],
    ['To', mail.to],
    ['Delivered to', mail.recipients.join(', ')],
    ['Received', mail.receivedAt],
    ['Message-ID', mail.messageId],
    ['In-Reply-To', mail.inReplyTo],
    ['References', mail.references.join(' ')],
    ...Object.entries(mail.headers),
  ];
  return html`<article class="mail">
    <h2>${mail.subject || '(no subject)'}</h2>
    <dl class="mail-headers">
      ${headers.map(
        ([name, value]) =>
          value !== undefined &&
          value !== '' &&
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${
      mail.html !== undefined &&
      html`<h3>HTML</h3>
        <iframe
          class="mail-html"
          title="HTML part of the mail"
          sandbox="allow-popups allow-popups-to-escape-sandbox"
          srcdoc="${linksToNewTab(mail.html)}"
        ></iframe>`
    }
    <h3>Text</h3>
    <pre class="mail-text">${mail.text}</pre>
  </article>`;
}

function linksToNewTab(document: string): string {
  const base = '<base target="_blank">';
  const head = /<head(\s[^>]*)?>/i.exec(document);
  if (!head) return base + document;
  const end = head.index + head[0].length;
  return document.slice(0, end) + base + document.slice(end);
}

/** Mails belong together when one refers to the other, directly or through one that is missing here. */
function groupByThread(mails: ReceivedMail[]): ReceivedMail[][] {
  const threads: { ids: Set<string>; mails: ReceivedMail[] }[] = [];
  for (const mail of mails) {
    const ids = [mail.messageId, mail.inReplyTo, ...mail.references].filter((id) => id !== undefined);
    const joined = threads.filter((thread) => ids.some((id) => thread.ids.has(id)));
    const [thread = { ids: new Set<string>(), mails: [] }, ...others] = joined;
    if (joined.length === 0) threads.push(thread);
    for (const other of others) {
      for (const id of other.ids) thread.ids.add(id);
      thread.mails.push(...other.mails);
      threads.splice(threads.indexOf(other), 1);
    }
    for (const id of ids) thread.ids.add(id);
    thread.mails.push(mail);
  }
  return threads.map((thread) => thread.mails.toSorted((a, b) => a.receivedAt.localeCompare(b.receivedAt)));
}

const lastAt = (thread: ReceivedMail[]): string => thread.at(-1)?.receivedAt ?? '';

/** The style sheet of mailbox and mail. */
export const mailStyles = `
.mailbox, .mail { font: 15px/1.5 system-ui, sans-serif; color: #1d1c1d; background: #fff; overflow-wrap: anywhere; }
.mail-empty { color: #595959; }
.mail-thread { margin: 0; padding: 8px 0; border-bottom: 1px solid #ddd; list-style: none; }
.mail-thread li { padding: 4px 0; }
.mail-thread li + li { padding-left: 24px; }
.mail-thread a { font-weight: 700; color: #0b57a4; }
.mail-meta { display: block; font-size: 13px; color: #595959; }
.mail h2 { margin: 0 0 12px; font-size: 20px; }
.mail h3 { margin: 16px 0 4px; font-size: 14px; color: #595959; }
.mail-headers { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 0; font-size: 13px; }
.mail-headers dt { color: #595959; }
.mail-headers dd { margin: 0; }
.mail-html { width: 100%; height: 620px; border: 1px solid #ddd; background: #fff; resize: vertical; }
.mail-text { padding: 12px; border: 1px solid #ddd; background: #f8f8f8; font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; }
`;
