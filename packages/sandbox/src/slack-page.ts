import { html, type Content, type Html } from '@cordon/html';
import type { Block, Button, RichTextElement, RichTextPart, Text } from './block-kit.ts';
import { emoji, formatDate, link, mention, renderMrkdwn, withEmoji } from './mrkdwn.ts';
import type { SlackEphemeral } from './slack-interactivity.ts';
import type { SlackMessage, SlackReply } from './slack-workspace.ts';

/** Who looks at the channel, and may press buttons in it. */
export type SlackSeat = {
  /** Where a press is posted to: a form with `ts` and `action_id`. */
  pressPath: string;
  /** The error mark of a message, for this person. */
  trouble: (ts: string) => string | undefined;
  ephemerals: SlackEphemeral[];
};

/** The channel as a person sees it in Slack, oldest message first. Goes with `slack.css`. Nobody presses without a seat. */
export function renderSlackChannel(messages: SlackMessage[], channelName: string, seat?: SlackSeat): Html {
  const days = Map.groupBy(messages, ({ at }) => at.slice(0, 10));
  return html`<section class="slack" aria-label="Slack channel ${channelName}">
    <h3 class="slack-channel"># ${channelName}</h3>
    ${messages.length === 0 && html`<p class="slack-empty">No message yet. The question comes here once something is detected.</p>`}
    ${[...days].map(
      ([day, ofDay]) =>
        html`<p class="slack-day" id="slack-${day}"><time datetime="${day}">${longDay(day)}</time></p>
          ${ofDay.map((message) => renderRoot(message, seat))}`,
    )}
    ${seat?.ephemerals.map(renderEphemeral)}
  </section>`;
}

const longDay = (day: string): string =>
  new Date(day).toLocaleDateString('en-US', { timeZone: 'UTC', weekday: 'long', month: 'long', day: 'numeric' });

function renderRoot(message: SlackMessage, seat: SlackSeat | undefined): Html {
  const { replies } = message;
  const count = replies.length === 1 ? '1 reply' : `${replies.length} replies`;
  return renderMessage(
    message,
    seat,
    replies.length > 0 &&
      html`<details class="slack-thread">
        <summary>${count} <span class="slack-latest">${renderMrkdwn(replies.at(-1)?.text ?? '')}</span></summary>
        ${replies.map((reply) => renderMessage(reply, seat))}
      </details>`,
  );
}

function renderMessage(message: SlackReply, seat: SlackSeat | undefined, thread?: Content): Html {
  const { ts, updateCount } = message;
  const trouble = seat?.trouble(ts);
  return renderPosted(message, `slack-${ts}`, seat && { pressPath: seat.pressPath, ts }, [
    trouble !== undefined && html`<p class="slack-trouble" role="alert">⚠️ ${trouble}</p>`,
    updateCount > 0 && html`<small class="slack-edited" title="${updateCount} times">(edited)</small>`,
    thread,
  ]);
}

function renderEphemeral(message: SlackEphemeral, index: number): Html {
  const only = html`<p class="slack-only">Only visible to you</p>`;
  return html`<div class="slack-ephemeral">${renderPosted(message, `slack-ephemeral-${index}`, undefined, only)}</div>`;
}

type Pressable = { pressPath: string; ts: string };

function renderPosted(
  { at, text, blocks }: { at: string; text: string; blocks: Block[] },
  id: string,
  pressable: Pressable | undefined,
  below: Content,
): Html {
  return html`<article class="slack-message" id="${id}">
    <div class="slack-avatar" aria-hidden="true">C</div>
    <div class="slack-body">
      <p class="slack-byline">
        <b>Cordon</b> <span class="slack-badge">APP</span>
        <time datetime="${at}" title="${at}">${at.slice(11, 16)} UTC</time>
      </p>
      ${
        blocks.length > 0
          ? blocks.map((block) => renderBlock(block, pressable))
          : html`<div class="slack-section">${renderMrkdwn(text)}</div>`
      }
      ${below}
    </div>
  </article>`;
}

/** One block; its buttons work where it says what they belong to. */
export function renderBlock(block: Block, pressable?: Pressable): Html {
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
        ${block.accessory && renderButton(block.accessory, pressable)}
      </div>`;
    case 'context':
      return html`<p class="slack-context">
        ${block.elements.map((element) => html`<span>${renderText(element)}</span> `)}
      </p>`;
    case 'divider':
      return html`<hr />`;
    case 'actions':
      return html`<div class="slack-actions">${block.elements.map((button) => renderButton(button, pressable))}</div>`;
    case 'rich_text':
    default:
      return html`<div class="slack-rich">${block.elements.map(renderRichText)}</div>`;
  }
}

export function renderText(text: Text): Content {
  if (text.type === 'mrkdwn') return renderMrkdwn(text.text, text.verbatim);
  return breakLines(text.emoji === false ? text.text : withEmoji(text.text));
}

const breakLines = (text: string): Content => text.split('\n').map((line, index) => [index > 0 && html`<br />`, line]);

/** A link opens, and is reported by the page's script; any other button only makes sense where somebody hears of it. */
function renderButton(button: Button, pressable: Pressable | undefined): Html {
  const style = `slack-button slack-button-${button.style ?? 'default'}`;
  const label = renderText(button.text);
  const { action_id: action = '', url } = button;
  const { pressPath = '', ts = '' } = pressable ?? {};
  if (url !== undefined && /^https?:\/\//i.test(url)) {
    return pressable && action !== ''
      ? html`<a
          class="${style}"
          href="${url}"
          rel="noopener noreferrer"
          target="_blank"
          data-press="${pressPath}"
          data-ts="${ts}"
          data-action="${action}"
          >${label}</a
        >`
      : html`<a class="${style}" href="${url}" rel="noopener noreferrer" target="_blank">${label}</a>`;
  }
  if (!pressable || url !== undefined || action === '')
    return html`<button class="${style}" type="button" disabled>${label}</button>`;
  return html`<form method="post" action="${pressPath}">
    <input type="hidden" name="ts" value="${ts}" />
    <button class="${style}" name="action_id" value="${action}">${label}</button>
  </form>`;
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
