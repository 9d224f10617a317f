import { severityName } from '@cordon/contracts';
import { describe, type Finding, type Incident, type Moment } from '@cordon/incident';
import type { KnownBlock, RichTextBlock, RichTextElement } from '@slack/web-api';
import { commandLineOf, detailsOf, detectedAt, type Fact, factsOf, findingFacts } from './facts.ts';
import { AT_THE_DEADLINE, caseOf, FULL_TEXT, isOpenQuestion, type News, tellMoment } from './moments.ts';
import type { SlackContent } from './slack.ts';
import { cutForSlack, manyLines, mrkdwn, oneLine } from './text.ts';

// Everything written by others stands in plain or rich text, where nothing is a mention, a link or markup. Together these
// keep a message below 8 000 characters; Slack's own limit is not documented.
const TITLE_MAX = 150;
const SENTENCE_MAX = 1000;
const VALUE_MAX = 300;
const COMMAND_LINE_MAX = 2000;
const PATH_MAX = 1000;
const VALUES_MAX: Record<string, number> = {
  File: PATH_MAX,
  Description: 500,
  'Parent process': 500,
  'Parent command line': 1000,
};

/** The message about an incident, as it stands now. */
export function renderIncident(incident: Incident, publicUrl: string): SlackContent {
  const { headline, sentence } = describe(incident);
  const { title } = incident.detection.finding_info;
  const severity = severityName(incident.detection.severity_id);
  const commandLine = commandLineOf(incident);
  const source = incident.detection.finding_info.src_url;
  const isOpen = isOpenQuestion(incident);
  const facts = factsOf(incident);
  const blocks: (KnownBlock | undefined)[] = [
    { type: 'header', text: plain(`${severity}: ${title}`, TITLE_MAX) },
    richText([...line(bold(headline)), text(sentence, SENTENCE_MAX)]),
    richText([...factLines(facts), bold('Detected: '), date(detectedAt(incident))]),
    commandLine === undefined ? undefined : preformatted(commandLine),
    isOpen && incident.question ? deadline(incident.question.expiresAt) : undefined,
    {
      type: 'actions',
      elements: [
        {
          type: 'button',
          text: plain(isOpen ? 'Review and decide' : 'Open incident', 75),
          url: `${publicUrl}/approvals/${incident.id}`,
          action_id: 'open_incident',
          ...(isOpen && { style: 'primary' as const }),
        },
      ],
    },
    source === undefined
      ? undefined
      : richText([{ type: 'link', url: new URL(source).href, text: 'Open in LimaCharlie' }]),
    context(`Cordon, case ${caseOf(incident)}.${wasCut(facts, commandLine) ? ` ${FULL_TEXT}` : ''}`),
  ];
  return {
    text: `${statusLine(headline, incident.hostname)} ${severity}: ${mrkdwn(title, 400)}`,
    blocks: blocks.filter((block) => block !== undefined),
  };
}

/** One message of the thread. */
export function renderNews(incident: Incident, news: News): SlackContent {
  if (news.kind === 'details') return renderDetails(incident);
  return news.kind === 'finding' ? renderFinding(incident, news.finding) : renderMoment(incident, news.moment);
}

function renderDetails({ hostname, detection, findings }: Incident): SlackContent {
  const list = findings.map(({ count, title }) => textOf(`\n${count} × ${oneLine(title)}`, 120));
  return {
    text: `Details of the detection on ${mrkdwn(hostname, 400)}`,
    blocks: [
      richText([...line(bold('Details')), ...factLines(detailsOf(detection)), bold('Findings so far:'), ...list]),
    ],
  };
}

function renderFinding({ hostname }: Incident, finding: Finding): SlackContent {
  const facts = findingFacts(finding);
  return {
    text: `Another finding on ${mrkdwn(hostname, 400)}: ${mrkdwn(finding.title, 400)}`,
    blocks: [
      richText([...line(bold('Another finding on this machine')), ...factLines(facts)]),
      ...(finding.commandLine ? [preformatted(finding.commandLine)] : []),
      ...(wasCut(facts, finding.commandLine) ? [context(FULL_TEXT)] : []),
    ],
  };
}

function renderMoment(incident: Incident, moment: Moment): SlackContent {
  const { headline, sentence, what, by, reason } = tellMoment(incident, moment);
  const facts: Fact[] = [{ label: 'Host', value: incident.hostname }];
  if (by !== undefined) facts.push({ label: 'By', value: by });
  if (reason) facts.push({ label: 'Reason', value: reason });
  return {
    text: statusLine(headline, incident.hostname),
    blocks: [
      richText([...line(bold(headline)), ...line(text(sentence, SENTENCE_MAX)), ...factLines(facts)]),
      context(`${what}, ${mrkdwnDate(new Date(moment.at))}`),
    ],
  };
}

function statusLine(headline: string, host: string): string {
  return `${headline.replace(/\.?$/, '.')} Host: ${mrkdwn(host, 400)}.`;
}

function plain(value: string, max: number) {
  return { type: 'plain_text' as const, text: cutForSlack(oneLine(value), max), emoji: false };
}

function context(constant: string): KnownBlock {
  return { type: 'context', elements: [{ type: 'mrkdwn', text: constant, verbatim: true }] };
}

function deadline(expiresAt: string): KnownBlock {
  const words = `Decide by ${mrkdwnDate(new Date(expiresAt))}. ${AT_THE_DEADLINE}`;
  return { type: 'section', text: { type: 'mrkdwn', text: words, verbatim: true } };
}

function richText(elements: RichTextElement[]): RichTextBlock {
  return { type: 'rich_text', elements: [{ type: 'rich_text_section', elements }] };
}

function preformatted(value: string): RichTextBlock {
  return {
    type: 'rich_text',
    elements: [{ type: 'rich_text_preformatted', elements: [textOf(manyLines(value), COMMAND_LINE_MAX)] }],
  };
}

/** Always one line: with line breaks in it a value could imitate our own lines. */
function text(value: string, max: number): RichTextElement {
  return textOf(oneLine(value), max);
}

/** Slack refuses a message with an empty text in it. */
function textOf(cleaned: string, max: number) {
  return { type: 'text' as const, text: cutForSlack(cleaned, max) || '–' };
}

function bold(constant: string): RichTextElement {
  return { ...textOf(oneLine(constant), 200), style: { bold: true } };
}

function line(element: RichTextElement): RichTextElement[] {
  return [element, { type: 'text', text: '\n' }];
}

function factLines(facts: Fact[]): RichTextElement[] {
  return facts.flatMap(({ label, value }) => [
    bold(`${label}: `),
    ...line(text(value, VALUES_MAX[label] ?? VALUE_MAX)),
  ]);
}

/** Whether a reader misses something, and is told where it is. */
function wasCut(facts: Fact[], commandLine = ''): boolean {
  return (
    isCut(commandLine, COMMAND_LINE_MAX) ||
    facts.some(({ label, value }) => isCut(value, VALUES_MAX[label] ?? VALUE_MAX))
  );
}

function isCut(value: string, max: number): boolean {
  return cutForSlack(value, max) !== value;
}

const DATE_FORMAT = '{date_short_pretty} at {time_secs}';

function date(at: Date): RichTextElement {
  return { type: 'date', timestamp: epochSeconds(at), format: DATE_FORMAT, fallback: at.toISOString() };
}

function mrkdwnDate(at: Date): string {
  return `<!date^${epochSeconds(at)}^${DATE_FORMAT}|${at.toISOString()}>`;
}

function epochSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000);
}
