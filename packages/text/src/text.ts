/** Invisible or reordering characters: controls, formatting (bidi, zero width, tags), separators, blank letters, broken halves. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;
const LINE_BREAK = /\r\n|[\n\r]/gu;

/** A value for a field of one line: a line break becomes a visible `↵`, every other hidden character U+FFFD. */
export function oneLine(value: string): string {
  return value.replace(LINE_BREAK, '↵').replace(/\t/gu, ' ').replace(HIDDEN, '\uFFFD');
}

/** A value for a block of lines: line breaks stay, every other hidden character becomes U+FFFD. */
export function manyLines(value: string): string {
  return value.split(LINE_BREAK).map(oneLine).join('\n');
}

/** At most `max` UTF-16 units, a cut marked with `…`. Never splits a character. */
export function cut(value: string, max: number): string {
  return value.length <= max ? value : fit(value, max, (character) => character);
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escapeForSlack = (character: string): string => ENTITIES[character] ?? character;
const escapedForSlack = (value: string): string => value.replace(/[&<>]/gu, escapeForSlack);

/** Like `cut`, but counts `&`, `<` and `>` as the entities that Slack may count. For plain and rich text. */
export function cutForSlack(value: string, max: number): string {
  if (escapedForSlack(value).length <= max) return value;
  return fit(
    value,
    max,
    (character) => character,
    (character) => escapeForSlack(character).length,
  );
}

/** One line for a mrkdwn text: Slack's three control characters escaped, so that nothing in it mentions or links. */
export function mrkdwn(value: string, max: number): string {
  const line = defang(oneLine(value));
  const escaped = escapedForSlack(line);
  return escaped.length <= max ? escaped : fit(line, max, escapeForSlack);
}

/** URLs that nobody clicks by accident and no client turns into links. */
export function defang(value: string): string {
  return value
    .replace(/htt(ps?:\/\/)/giu, 'hxx$1')
    .replace(/:\/\/([^\s/]*)/gu, (_, host: string) => `://${host.replaceAll('.', '[.]')}`)
    .replace(/\bwww\./giu, 'www[.]');
}

/** Writes a value that is too long piece by piece while there is room, keeping the last place where the `…` still fits. */
function fit(
  value: string,
  max: number,
  pieceOf: (character: string) => string,
  sizeOf: (character: string) => number = (character) => pieceOf(character).length,
): string {
  let written = '';
  let size = 0;
  let kept = '';
  for (const character of value) {
    size += sizeOf(character);
    if (size > max) return `${kept}…`;
    written += pieceOf(character);
    if (size < max) kept = written;
  }
  return written;
}
