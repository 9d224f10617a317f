import { html, type Content, type Html } from '@cordon/html';
import type { Block, Button, RichTextElement, RichTextPart, Text } from './block-kit.ts';
import { emoji, formatDate, link, mention, renderMrkdwn, withEmoji } from './mrkdwn.ts';
import type { SlackMessage, SlackReply } from './slack-workspace.ts';

/** The channel as a person sees it in Slack, oldest message first. Goes with `slackStyles`. */
export function renderSlackChannel(messages: SlackMessage[], channelName: string): Html {
  const days = Map.groupBy(messages, ({ at }) => at.slice(0, 10));
  return html`<section class="slack" aria-label="Slack channel ${channelName}">
    <h2 class="slack-channel">#${channelName}</h2>
    ${messages.length === 0 && html`<p class="slack-empty">No message yet.</p>`}
    ${[...days].map(
      ([day, ofDay]) =>
        html`<h3 class="slack-day"><time datetime="${day}">${longDay(day)}</time></h3>
          ${ofDay.map(renderRoot)}`,
    )}
  </section>`;
}

const longDay = (day: string): string =>
  new Date(day).toLocaleDateString('en-US', { timeZone: 'UTC', weekday: 'long', month: 'long', day: 'numeric' });

function renderRoot(message: SlackMessage): Html {
  const { replies } = message;
  const count = replies.length === 1 ? '1 reply' : `${replies.length} replies`;
  return renderMessage(
    message,
    replies.length > 0 &&
      html`<details class="slack-thread">
        <summary>${count}</summary>
        ${replies.map((reply) => renderMessage(reply))}
      </details>`,
  );
}

function renderMessage(message: SlackReply, thread?: Content): Html {
  const { ts, at, blocks, text } = message;
  return html`<article class="slack-message" id="slack-${ts}">
    <div class="slack-avatar" aria-hidden="true">C</div>
    <div class="slack-body">
      <p class="slack-byline">
        <b>Cordon</b> <span class="slack-badge">APP</span>
        <time datetime="${at}" title="${at}">${at.slice(11, 16)} UTC</time>
      </p>
      ${blocks.length > 0 ? blocks.map(renderBlock) : html`<div class="slack-section">${renderMrkdwn(text)}</div>`}
      ${message.updateCount > 0 && html`<small class="slack-edited" title="${message.updateCount} times">(edited)</small>`}
      ${thread}
    </div>
  </article>`;
}

function renderBlock(block: Block): Html {
  switch (block.type) {
    case 'header':
      return html`<h4 class="slack-header">${renderText(block.text)}</h4>`;
    case 'section':
      return html`<div class="slack-section">
        ${block.text && html`<div>${renderText(block.text)}</div>`}
        ${
          block.fields &&
          html`<div class="slack-fields">${block.fields.map((field) => html`<div>${renderText(field)}</div>`)}</div>`
        }
        ${block.accessory && renderButton(block.accessory)}
      </div>`;
    case 'context':
      return html`<p class="slack-context">
        ${block.elements.map((element) => html`<span>${renderText(element)}</span> `)}
      </p>`;
    case 'divider':
      return html`<hr />`;
    case 'actions':
      return html`<div class="slack-actions">${block.elements.map(renderButton)}</div>`;
    case 'rich_text':
    default:
      return html`<div class="slack-rich">${block.elements.map(renderRichText)}</div>`;
  }
}

function renderText(text: Text): Content {
  if (text.type === 'mrkdwn') return renderMrkdwn(text.text, text.verbatim);
  return breakLines(text.emoji === false ? text.text : withEmoji(text.text));
}

const breakLines = (text: string): Content => text.split('\n').map((line, index) => [index > 0 && html`<br />`, line]);

/** Only a link button does something here; the others would need Slack to call Cordon. */
function renderButton(button: Button): Html {
  const style = `slack-button slack-button-${button.style ?? 'default'}`;
  const label = renderText(button.text);
  return button.url !== undefined && /^https?:\/\//i.test(button.url)
    ? html`<a class="${style}" href="${button.url}" rel="noopener noreferrer" target="_blank">${label}</a>`
    : html`<button class="${style}" type="button" disabled>${label}</button>`;
}

function renderRichText(part: RichTextPart): Html {
  switch (part.type) {
    case 'rich_text_section':
      return html`<div>${part.elements.map(renderElement)}</div>`;
    case 'rich_text_preformatted':
      return html`<pre>${part.elements.map(renderElement)}</pre>`;
    case 'rich_text_quote':
      return html`<blockquote>${part.elements.map(renderElement)}</blockquote>`;
    case 'rich_text_list':
    default: {
      const items = part.elements.map(({ elements }) => html`<li>${elements.map(renderElement)}</li>`);
      return part.style === 'ordered'
        ? html`<ol start="${(part.offset ?? 0) + 1}">
            ${items}
          </ol>`
        : html`<ul>
            ${items}
          </ul>`;
    }
  }
}

function renderElement(element: RichTextElement): Content {
  if (element.type === 'emoji') return emoji(element.name);
  const { style } = element;
  let content: Content = renderUnstyled(element);
  if (style?.code) content = html`<code>${content}</code>`;
  if (style?.bold) content = html`<b>${content}</b>`;
  if (style?.italic) content = html`<i>${content}</i>`;
  if (style?.strike) content = html`<s>${content}</s>`;
  return content;
}

function renderUnstyled(element: Exclude<RichTextElement, { type: 'emoji' }>): Content {
  switch (element.type) {
    case 'text':
      return breakLines(element.text);
    case 'link':
      return link(element.url, element.text ?? element.url);
    case 'user':
      return mention(`@${element.user_id}`);
    case 'usergroup':
      return mention(`@${element.usergroup_id}`);
    case 'channel':
      return mention(`#${element.channel_id}`);
    case 'broadcast':
      return mention(`@${element.range}`);
    case 'date':
    default:
      return formatDate(element.timestamp, element.format, element.fallback ?? '', element.url);
  }
}

/** The style sheet of the channel: no fonts, images or other things from outside. */
export const slackStyles = `
.slack { font: 15px/1.46 system-ui, sans-serif; color: #1d1c1d; background: #fff; overflow-wrap: anywhere; }
.slack-channel { margin: 0; padding: 12px 20px; font-size: 18px; border-bottom: 1px solid #ddd; }
.slack-empty { padding: 8px 20px; color: #616061; }
.slack-day { margin: 16px 20px 4px; font-size: 13px; text-align: center; color: #454245; }
.slack-message { display: flex; gap: 8px; padding: 8px 20px; }
.slack-avatar { flex: none; width: 36px; height: 36px; border-radius: 4px; background: #12344d; color: #fff; font-weight: 700; text-align: center; line-height: 36px; }
.slack-body { flex: 1; min-width: 0; max-width: 720px; }
.slack-byline { margin: 0; }
.slack-byline time, .slack-context, .slack-edited { font-size: 12px; color: #616061; }
.slack-badge { padding: 0 3px; border-radius: 2px; background: #e8e8e8; color: #4a4a4a; font-size: 10px; font-weight: 700; vertical-align: 1px; }
.slack-header { margin: 8px 0; font-size: 18px; }
.slack-section, .slack-rich { margin: 4px 0; }
.slack-fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin: 4px 0; }
.slack-context { margin: 4px 0; }
.slack-actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0; }
.slack-button { display: inline-block; padding: 4px 12px; border: 1px solid #bbb; border-radius: 4px; background: #fff; color: #1d1c1d; font: inherit; font-size: 13px; font-weight: 700; text-decoration: none; }
.slack-button-primary { border-color: #007a5a; background: #007a5a; color: #fff; }
.slack-button-danger { border-color: #b3164a; color: #b3164a; }
.slack-button:focus-visible, .slack a:focus-visible, .slack summary:focus-visible { outline: 3px solid #1264a3; outline-offset: 2px; }
.slack a:not(.slack-button) { color: #1264a3; }
.slack pre { margin: 4px 0; padding: 8px; border: 1px solid #ddd; border-radius: 4px; background: #f8f8f8; font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap; }
.slack code { padding: 1px 3px; border: 1px solid #ddd; border-radius: 3px; background: #f8f8f8; color: #a3123f; font: 12px ui-monospace, monospace; }
.slack blockquote { margin: 4px 0; padding-left: 12px; border-left: 4px solid #ddd; }
.slack hr { margin: 8px 0; border: 0; border-top: 1px solid #ddd; }
.slack-mention { padding: 0 2px; border-radius: 3px; background: #fbe19d; color: #6b4400; font-weight: 700; }
.slack-auto-link { color: #1264a3; text-decoration: underline dotted; }
.slack-thread { margin-top: 4px; }
.slack-thread summary { color: #1264a3; font-size: 13px; font-weight: 700; cursor: pointer; }
.slack-thread .slack-message { padding: 6px 0; }
`;
