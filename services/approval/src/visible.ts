import { type Content, Html, html as markup } from '@cordon/html';

/**
 * What nobody sees, or what changes how the rest reads: control and format characters (a bidi override turns `exe.fdp`
 * around), line breaks, blanks without width. Tabs and the emoji selector stay.
 */
const HIDDEN = /((?!\t|\u{FE0F})[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}])/u;

/**
 * The shared `html`, with every hidden character of a text shown as a mark. Attributes, `<title>` and `<textarea>` cannot
 * hold a mark: use `verbatim` or `plainText` there. (A forgotten one shows the mark's tags, and is still harmless.)
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  return markup(strings, ...values.map(visible));
}

/** A text exactly as it is, escaped: for what is sent back to us. */
export function verbatim(text: string): Content {
  return markup`${text}`;
}

/** A text without hidden characters, where there is no place for a mark. */
export function plainText(text: string): string {
  return text.replace(new RegExp(HIDDEN, 'gu'), (hidden) => (hidden === '\n' ? '↵' : '\uFFFD'));
}

function visible(content: Content): Content {
  if (typeof content === 'string') {
    const parts = content.split(HIDDEN); // text, hidden, text, hidden, ..., text
    return parts.length === 1 ? content : parts.map((part, index) => (index % 2 === 0 ? part : mark(part)));
  }
  if (typeof content !== 'object' || content === null || content instanceof Html) return content;
  return content.map(visible);
}

function mark(hidden: string): Content {
  if (hidden === '\n') return markup`<mark>↵</mark>\n`;
  const code = hidden.codePointAt(0) ?? 0;
  return markup`<mark>U+${code.toString(16).toUpperCase().padStart(4, '0')}</mark>`;
}
