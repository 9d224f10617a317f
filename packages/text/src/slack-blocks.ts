import type { Fact } from '@cordon/incident';
import type { ContextBlock, PlainTextElement, RichTextBlock, RichTextElement } from '@slack/types';
import { cutForSlack, manyLines, oneLine } from './text.ts';

// Everything written by others stands in plain or rich text, where nothing is a mention, a link or markup. Together these
// keep a message below 8 000 characters; Slack's own limit is not documented.
/** The longest sentence shown in Slack. */
export const SENTENCE_MAX = 1000;
const VALUE_MAX = 300;
const COMMAND_LINE_MAX = 2000;
const PATH_MAX = 1000;
const VALUES_MAX: Record<string, number> = {
  File: PATH_MAX,
  Description: 500,
  'Parent process': 500,
  'Parent command line': 1000,
};

/** Plain text of one line, for a header, a button or a label. */
export function plain(value: string, max: number): PlainTextElement {
  return { type: 'plain_text', text: cutForSlack(oneLine(value), max), emoji: false };
}

/** Small print in words of ours. */
export function context(constant: string): ContextBlock {
  return { type: 'context', elements: [{ type: 'mrkdwn', text: constant, verbatim: true }] };
}

/** A paragraph. */
export function richText(elements: RichTextElement[]): RichTextBlock {
  return { type: 'rich_text', elements: [{ type: 'rich_text_section', elements }] };
}

/** A command line. */
export function preformatted(value: string): RichTextBlock {
  return {
    type: 'rich_text',
    elements: [{ type: 'rich_text_preformatted', elements: [textOf(manyLines(value), COMMAND_LINE_MAX)] }],
  };
}

/** Always one line: with line breaks in it a value could imitate our own lines. */
export function richTextOf(value: string, max: number): RichTextElement {
  return textOf(oneLine(value), max);
}

/** Slack refuses a message with an empty text in it. */
function textOf(cleaned: string, max: number) {
  return { type: 'text' as const, text: cutForSlack(cleaned, max) || '–' };
}

/** A label of ours. */
export function bold(constant: string): RichTextElement {
  return { ...textOf(oneLine(constant), 200), style: { bold: true } };
}

/** An element and the end of its line. */
export function line(element: RichTextElement): RichTextElement[] {
  return [element, { type: 'text', text: '\n' }];
}

/** A link to a place of ours, in words of ours. */
export function link(url: string, words: string): RichTextElement {
  return { type: 'link', url, text: words };
}

/** Each fact in a line of its own. */
export function factLines(facts: Fact[]): RichTextElement[] {
  return facts.flatMap(({ label, value }) => [
    bold(`${label}: `),
    ...line(richTextOf(value, VALUES_MAX[label] ?? VALUE_MAX)),
  ]);
}

/** Whether a reader misses something, and is to be told where it is. */
export function wasCut(facts: Fact[], commandLine = ''): boolean {
  return (
    isCut(commandLine, COMMAND_LINE_MAX) ||
    facts.some(({ label, value }) => isCut(value, VALUES_MAX[label] ?? VALUE_MAX))
  );
}

function isCut(value: string, max: number): boolean {
  return cutForSlack(value, max) !== value;
}

const DATE_FORMAT = '{date_short_pretty} at {time_secs}';

/** An instant in the reader's own time. */
export function richDate(at: Date): RichTextElement {
  return { type: 'date', timestamp: epochSeconds(at), format: DATE_FORMAT, fallback: at.toISOString() };
}

/** The same in mrkdwn. */
export function mrkdwnDate(at: Date): string {
  return `<!date^${epochSeconds(at)}^${DATE_FORMAT}|${at.toISOString()}>`;
}

function epochSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000);
}
