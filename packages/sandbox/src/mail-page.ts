import { html, type Content, type Html } from '@cordon/html';
import type { ReceivedMail } from './mail.ts';

/** The mailbox as a list of threads, the latest first. `hrefOf` says where a mail is shown. Goes with `mail.css`. */
export function renderMailbox(mails: ReceivedMail[], hrefOf: (mail: ReceivedMail) => string, shownId?: string): Html {
  const threads = groupByThread(mails).toSorted((a, b) => lastAt(b).localeCompare(lastAt(a)));
  return html`<section class="mailbox" aria-label="Mailbox">
    ${threads.length === 0 && html`<p class="mail-empty">No mail yet. The question comes here too.</p>`}
    ${threads.map(
      (thread) =>
        html`<ol class="mail-thread">
          ${thread.map((mail) => renderRow(mail, hrefOf(mail), mail.id === shownId))}
        </ol>`,
    )}
  </section>`;
}

function renderRow(mail: ReceivedMail, href: string, isShown: boolean): Html {
  return html`<li>
    <a href="${href}" id="mail-${mail.id}" ${isShown && html`aria-current="true"`}>
      <bdi class="mail-subject">${mail.subject || '(no subject)'}</bdi>
      <span class="mail-meta">
        to ${mail.recipients.join(', ')} at
        <time datetime="${mail.receivedAt}" title="${mail.receivedAt}">${mail.receivedAt.slice(11, 16)} UTC</time>
        ${mail.deliveries > 1 && html`<b>delivered ${mail.deliveries} times</b>`}
      </span>
    </a>
  </li>`;
}

/**
 * One mail with both of its bodies. The HTML one stands in a frame without scripts, forms or an origin of its own; its
 * links open in a new tab, as those of a web mailer do.
 */
export function renderMail(mail: ReceivedMail): Html {
  const time = html`<time datetime="${mail.receivedAt}">${mail.receivedAt.slice(0, 19).replace('T', ' ')} UTC</time>`;
  return html`<article class="mail">
    <h3>${mail.subject || '(no subject)'}</h3>
    ${renderHeaders([
      ['From', mail.from],
      ['To', mail.to],
      ['Received', time],
    ])}
    <details class="mail-more" id="mail-more">
      <summary>All headers</summary>
      ${renderHeaders([
        ['Delivered to', mail.recipients.join(', ')],
        ['Message-ID', mail.messageId],
        ['In-Reply-To', mail.inReplyTo],
        ['References', mail.references.join(' ')],
        ...Object.entries(mail.headers),
      ])}
    </details>
    ${
      mail.html === undefined
        ? html`<pre class="mail-text">${mail.text}</pre>`
        : html`<iframe
              class="mail-html"
              title="HTML part of the mail"
              sandbox="allow-popups allow-popups-to-escape-sandbox"
              srcdoc="${linksToNewTab(mail.html)}"
            ></iframe>
            <details class="mail-more" id="mail-plain">
              <summary>The same as plain text</summary>
              <pre class="mail-text">${mail.text}</pre>
            </details>`
    }
  </article>`;
}

function renderHeaders(headers: [name: string, value: Content][]): Html {
  return html`<dl class="mail-headers">
    ${headers.map(
      ([name, value]) =>
        value !== undefined &&
        value !== '' &&
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
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
