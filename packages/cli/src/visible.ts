/**
 * What a terminal would obey instead of showing (escape sequences, carriage returns), what turns text around or hides
 * (bidi overrides, characters without width), and lone surrogates. Nearly every text here was written by an attacker.
 */
const HIDDEN = /(?!\u{FE0F})[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/gu; // the emoji selector stays
const NAMES: Record<string, string> = { '\n': '↵', '\t': '⇥' };

/** A text on one line, with every hidden character shown as its code: `<U+001B>`. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (hidden) => NAMES[hidden] ?? `<U+${codeOf(hidden)}>`);
}

/** The same with its line breaks kept, each line indented. */
export function visibleLines(text: string, indent = '  '): string {
  return text
    .split(/\r?\n/)
    .map((line) => `${indent}${visible(line)}`)
    .join('\n');
}

/** JSON that means the same and is inert on a terminal: hidden characters are escaped, which JSON itself does for few. */
export function inertJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, undefined, indent) ?? 'null';
  return json.replace(HIDDEN, (hidden) => {
    if (hidden === '\n') return hidden; // between the lines of an indented document: inside a string it is \n already
    return Array.from(
      { length: hidden.length },
      (_, at) => `\\u${hidden.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join('');
  });
}

const WIDE =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;

/** How many columns a visible text takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += /\p{M}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** A visible text cut to a number of columns, with a mark where something is missing. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let kept = '';
  let width = 1;
  for (const character of text) {
    width += widthOf(character);
    if (width > columns) break;
    kept += character;
  }
  return `${kept}…`;
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}
