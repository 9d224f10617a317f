/** One record of a webhook body. `text` is exactly what was sent for it; `problem` says why it has no value. */
export type WebhookRecord = { text: string; value: unknown } | { text: string; problem: string };

/**
 * The records in a webhook body, in their order. LimaCharlie docs (webhook, webhook_bulk): the body is one JSON object,
 * a JSON array, or JSON objects one per line. A body that is none of these is one record with a problem, and a blank
 * one has no records. Pure; throws nothing.
 *
 * A record's text is cut out of the body and not written anew: JSON parsing loses duplicate keys, number precision and
 * key order, and evidence has to be re-checkable.
 */
export function parseWebhook(body: string): WebhookRecord[] {
  const text = trim(body);
  if (text === '') return [];
  const whole = parse(text);
  if ('value' in whole) {
    if (!Array.isArray(whole.value)) return [whole];
    if (whole.value.length === 0) return [{ text, problem: 'The body is a JSON array without any record.' }];
    const values: unknown[] = whole.value;
    return elementTexts(text).map((element, index) => ({ text: element, value: values[index] }));
  }

  const lines = text.split('\n').map(trim).filter(Boolean).map(parse);
  const someAreObjects = lines.some((line) => 'value' in line && typeof line.value === 'object' && line.value !== null);
  if (lines.length > 1 && someAreObjects) return lines;
  return [{ text, problem: 'The body is neither JSON nor JSON objects one per line.' }];
}

function parse(text: string): WebhookRecord {
  try {
    const value: unknown = JSON.parse(text);
    return { text, value };
  } catch {
    return { text, problem: 'The line is not JSON.' };
  }
}

/**
 * Only JSON's own white space: other blanks would make the text something else than what was sent. No regular
 * expression: `[ ]+$` takes quadratic time on a command line full of blanks.
 */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

/** The source texts of the elements of a valid JSON array with at least one element. */
function elementTexts(array: string): string[] {
  const texts: string[] = [];
  let depth = 0;
  let start = 1;
  for (let at = 0; at < array.length; at++) {
    const character = array[at];
    if (character === '"') at = endOfString(array, at);
    else if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') depth--;
    const ends = (character === ',' && depth === 1) || depth === 0;
    if (!ends) continue;
    texts.push(trim(array.slice(start, at)));
    start = at + 1;
  }
  return texts;
}

/** The place of the quote that closes the string opened at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
}
