import { html, type Content, type Html } from '@cordon/html';

/** The few emoji names that a security bot may use; others are left as they are written. */
const EMOJI: Record<string, string> = {
  bell: '🔔',
  computer: '💻',
  exclamation: '❗',
  hourglass_flowing_sand: '⏳',
  information_source: 'ℹ️',
  lock: '🔒',
  mag: '🔍',
  no_entry: '⛔',
  question: '❓',
  rotating_light: '🚨',
  unlock: '🔓',
  warning: '⚠️',
  white_check_mark: '✅',
  x: '❌',
};

/** An emoji by its Slack name, or the name itself between colons. */
export const emoji = (name: string): string => EMOJI[name] ?? `:${name}:`;

/** Replaces `:name:` in text that may contain emoji. */
export const withEmoji = (text: string): string => text.replace(/:([a-z0-9_+-]+):/g, (_, name: string) => emoji(name));

/** Anything in Slack that would notify people. Made to stand out: a mention that leaked from evidence must be seen. */
export const mention = (label: string): Html => html`<mark class="slack-mention">${label}</mark>`;

/** A link as Slack would make it; an address of any other kind stays text. */
export function link(url: string, label: Content): Html {
  if (!/^(https?:\/\/|mailto:)/i.test(url)) return html`<span class="slack-dead-link">${label} (${url})</span>`;
  return html`<a href="${url}" rel="noopener noreferrer" target="_blank">${label}</a>`;
}

/** Slack decodes these three, once, and nothing else. */
const decode = (text: string): string =>
  text.replace(/&(amp|lt|gt);/g, (_, name: string) => (name === 'amp' ? '&' : name === 'lt' ? '<' : '>'));

/** Shows Slack's mrkdwn the way Slack does, for the forms that a bot's message can have. */
export function renderMrkdwn(source: string, verbatim = false): Html {
  const parts = source.split(/```([\s\S]+?)```/); // every second one is preformatted
  return html`${parts.map((part, index) =>
    index % 2 === 1 ? html`<pre>${inCode(part.replace(/^\n/, ''))}</pre>` : renderLines(part, verbatim),
  )}`;
}

function renderLines(source: string, verbatim: boolean): Content {
  if (source === '') return null;
  const runs: { quoted: boolean; lines: string[] }[] = [];
  for (const line of source.split('\n')) {
    const quoted = /^(&gt;|>)/.test(line);
    const text = quoted ? line.replace(/^(&gt;|>) ?/, '') : line;
    const last = runs.at(-1);
    if (last?.quoted === quoted) last.lines.push(text);
    else runs.push({ quoted, lines: [text] });
  }
  return runs.map(({ quoted, lines }) => {
    const content = lines.map((line, index) => [index > 0 && html`<br />`, renderInline(line, verbatim)]);
    return quoted ? html`<blockquote>${content}</blockquote>` : content;
  });
}

const INLINE = new RegExp(
  [
    '`(?<code>[^`\\n]+)`',
    '<(?<control>[^<>\\n]+)>',
    '(?<![\\w*])\\*(?<bold>[^*\\s](?:[^*\\n]*[^*\\s])?)\\*(?![\\w*])',
    '(?<![\\w_])_(?<italic>[^_\\s](?:[^_\\n]*[^_\\s])?)_(?![\\w_])',
    '(?<![\\w~])~(?<strike>[^~\\s](?:[^~\\n]*[^~\\s])?)~(?![\\w~])',
    '(?<bare>https?://[^\\s<>|]+)',
  ].join('|'),
  'g',
);

function renderInline(source: string, verbatim: boolean): Content[] {
  return pieces(
    source,
    INLINE,
    (text) => withEmoji(decode(text)),
    ({ code, control, bold, italic, strike, bare }) => {
      if (code !== undefined) return html`<code>${inCode(code)}</code>`;
      if (control !== undefined) return renderControl(control);
      if (bold !== undefined) return html`<b>${renderInline(bold, verbatim)}</b>`;
      if (italic !== undefined) return html`<i>${renderInline(italic, verbatim)}</i>`;
      if (strike !== undefined) return html`<s>${renderInline(strike, verbatim)}</s>`;
      // Slack would turn it into a link. Shown as such, but dead: nobody meant it to be one.
      const text = decode(bare ?? '');
      return verbatim ? text : html`<span class="slack-auto-link" title="Slack links this by itself">${text}</span>`;
    },
  );
}

/** Inside code, styles mean nothing, but control sequences still work. */
function inCode(source: string): Content[] {
  return pieces(source, /<(?<control>[^<>\n]+)>/g, decode, ({ control = '' }) => renderControl(control));
}

function pieces(
  source: string,
  pattern: RegExp,
  plain: (text: string) => Content,
  special: (groups: Record<string, string | undefined>) => Content,
): Content[] {
  const out: Content[] = [];
  let end = 0;
  for (const match of source.matchAll(pattern)) {
    out.push(plain(source.slice(end, match.index)), special(match.groups ?? {}));
    end = match.index + match[0].length;
  }
  out.push(plain(source.slice(end)));
  return out;
}

/** What stands between `<` and `>`: a mention, a channel, a date or a link. */
function renderControl(inside: string): Html {
  const bar = inside.indexOf('|');
  const target = decode(bar === -1 ? inside : inside.slice(0, bar));
  const label = bar === -1 ? undefined : decode(inside.slice(bar + 1));
  if (target.startsWith('!date^')) return renderDate(target, label ?? '');
  if (target.startsWith('!subteam^')) return mention(label ?? `@${target.slice('!subteam^'.length)}`);
  if (/^[!@]/.test(target)) return mention(`@${label?.replace(/^@/, '') ?? target.slice(1)}`);
  if (target.startsWith('#')) return mention(`#${label ?? target.slice(1)}`);
  return link(target, label ?? target);
}

function renderDate(target: string, fallback: string): Html {
  const [, seconds = '', format = '', url] = target.split('^');
  return formatDate(Number(seconds), format, fallback, url);
}

/** Slack's date formats, in UTC, since nobody's time zone is known here. */
export function formatDate(seconds: number, format: string, fallback: string, url?: string): Html {
  const date = new Date(seconds * 1_000);
  if (seconds === 0 || Number.isNaN(date.getTime())) return html`${fallback}`;
  const iso = date.toISOString();
  const day = (options: Intl.DateTimeFormatOptions): string =>
    date.toLocaleDateString('en-US', { timeZone: 'UTC', ...options });
  const long = day({ year: 'numeric', month: 'long', day: 'numeric' });
  const short = day({ year: 'numeric', month: 'short', day: 'numeric' });
  const tokens: Record<string, string> = {
    date_num: iso.slice(0, 10),
    date: long,
    date_pretty: long,
    date_long: day({ weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' }),
    date_long_pretty: day({ weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' }),
    date_short: short,
    date_short_pretty: short,
    time: `${iso.slice(11, 16)} UTC`,
    time_secs: `${iso.slice(11, 19)} UTC`,
  };
  const text = format.replace(/\{(\w+)\}/g, (whole, token: string) => tokens[token] ?? whole);
  const time = html`<time datetime="${iso}" title="${fallback}">${text}</time>`;
  return url === undefined ? time : link(url, time);
}
