import { severityName } from '@cordon/contracts';
import { type Content, html, type Html } from '@cordon/html';
import {
  commandLineOf,
  decidersOf,
  describe,
  describeMoment,
  detectedAt,
  type Fact,
  factsOf,
  type Incident,
} from '@cordon/incident';
import { cut, defang, manyLines, oneLine } from '@cordon/text';
import type { MailContent } from './email.ts';
import type { MailKind } from './mailing.ts';
import { maskSecrets } from './mask-secrets.ts';
import { AT_THE_DEADLINE, caseOf, firstDetailsOf, FULL_TEXT, isOpenQuestion } from './moments.ts';

const VALUE_MAX = 300;
const COMMAND_LINE_MAX = 1000;
const SENTENCE_MAX = 1000;
const URGENT_FROM = 4;

/**
 * The mail about an incident as it stands now. Lines written by others come behind `| ` in the text part, so that they
 * cannot imitate ours; they name no URL that a client would link, and secrets in command lines are masked.
 */
export function renderMail(incident: Incident, publicUrl: string, kind: MailKind, notice = ''): MailContent {
  const { headline, sentence } = describe(incident);
  const { detection, decision, question } = incident;
  const isOpen = isOpenQuestion(incident);
  const words = { notice: value(notice, SENTENCE_MAX), headline, sentence: value(sentence, SENTENCE_MAX) };
  const until = isOpen && question ? `Decide by ${inWords(question.expiresAt)}. ${AT_THE_DEADLINE}` : undefined;
  const facts: Fact[] = [
    ...factsOf(incident),
    { label: 'Detected', value: inWords(detectedAt(incident).toISOString()) },
    ...firstDetailsOf(detection),
  ].map((fact) => ({ label: fact.label, value: value(fact.value, VALUE_MAX) }));
  if (isOpen && question && question.votesNeeded > 1) facts.push({ label: 'Why', value: value(question.why, 500) });
  const deciders = decidersOf(incident);
  if (deciders !== undefined) facts.push({ label: 'Decided by', value: value(deciders, VALUE_MAX) });
  if (decision?.reason) facts.push({ label: 'Reason', value: value(decision.reason, 500) });
  const full = commandLineOf(incident);
  const commandLine = full === undefined ? undefined : cut(defang(manyLines(maskSecrets(full))), COMMAND_LINE_MAX);
  const history = incident.history
    .slice(-15)
    .map(
      (moment) =>
        `${inWords(moment.at)}  ${describeMoment(moment).what}${moment.by ? `: ${value(moment.by, 100)}` : ''}`,
    );
  const link = {
    label: isOpen ? 'Review and decide' : 'Open the incident',
    url: `${publicUrl}/approvals/${incident.id}`,
    note: 'The page asks you to sign in. Opening it changes nothing.',
  };
  const end = `${FULL_TEXT} Secrets in command lines are masked here. Case ${incident.id}, compare it with Slack.`;
  const parts: Parts = { ...words, until, facts, commandLine, history, link, end };
  return {
    subject: subjectOf(incident, kind),
    text: asText(parts),
    html: asHtml(parts),
    urgent: isUrgent(incident, kind),
  };
}

const PREFIX: Record<MailKind, string> = {
  question: '[Cordon]',
  'follow-up': 'Re: [Cordon]',
  escalation: '[Escalation]',
  overdue: '[Slack not reached]',
};

/** The same for the question and all that follows it, so that clients keep them together. */
export function subjectOf(incident: Incident, kind: MailKind): string {
  const { severity_id: severity, finding_info: info } = incident.detection;
  const about = `${severityName(severity)} ${cut(oneLine(info.title), 120)} on ${cut(oneLine(incident.hostname), 80)}`;
  return `${PREFIX[kind]} ${about} (case ${caseOf(incident)})`;
}

type Parts = {
  notice: string;
  headline: string;
  sentence: string;
  until: string | undefined;
  facts: Fact[];
  commandLine: string | undefined;
  history: string[];
  link: { label: string; url: string; note: string };
  end: string;
};

function asText({ notice, headline, sentence, until, facts, commandLine, history, link, end }: Parts): string {
  return [
    ...(notice === '' ? [] : [notice, '']),
    [`${headline.replace(/\.$/, '')}: ${sentence}`, until].filter(Boolean).join(' '),
    '',
    `${link.label}: ${link.url}`,
    link.note,
    '',
    ...facts.map(({ label, value }) => `| ${label}: ${value}`),
    ...(commandLine === undefined ? [] : ['', 'Command line:', ...commandLine.split('\n').map((line) => `| ${line}`)]),
    '',
    'What happened:',
    ...history.map((line) => `| ${line}`),
    '',
    end,
    '',
  ].join('\n');
}

function asHtml({ notice, headline, sentence, until, facts, commandLine, history, link, end }: Parts): string {
  return String(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width" />
          <title>${headline}</title>
        </head>
        <body style="margin:0;padding:16px;background:#ffffff;color:#1a1a1a;font:16px/1.5 sans-serif">
          <div style="max-width:600px">
            ${notice !== '' && paragraph(html`<strong>${notice}</strong>`)}
            <h1 style="font-size:20px;margin:0 0 8px">${headline}</h1>
            ${paragraph(sentence)} ${until !== undefined && paragraph(html`<strong>${until}</strong>`)}
            ${paragraph(html`${link.label}: <a href="${link.url}" style="color:#0b5cad">${new URL(link.url).host}</a>`)}
            ${paragraph(link.note)}
            <table style="border-collapse:collapse;font-size:16px">
              ${facts.map(row)}
            </table>
            ${commandLine !== undefined && [title('Command line'), code(commandLine)]} ${title('What happened')}
            <ul style="margin:0;padding-left:20px">
              ${history.map((line) => html`<li>${line}</li>`)}
            </ul>
            <p style="margin:20px 0 0;color:#555555">${end}</p>
          </div>
        </body>
      </html>`,
  );
}

function paragraph(content: Content): Html {
  return html`<p style="margin:0 0 12px">${content}</p>`;
}

function title(content: string): Html {
  return html`<h2 style="font-size:16px;margin:20px 0 8px">${content}</h2>`;
}

function row({ label, value }: Fact): Html {
  return html`<tr>
    <th scope="row" style="text-align:left;vertical-align:top;padding:2px 16px 2px 0;white-space:nowrap">${label}</th>
    <td style="padding:2px 0;word-break:break-word;overflow-wrap:anywhere">${value}</td>
  </tr>`;
}

function code(text: string): Html {
  return html`<pre style="margin:0;padding:8px;background:#f3f3f3;white-space:pre-wrap;overflow-wrap:anywhere">
${text}</pre>`;
}

function value(text: string, max: number): string {
  return cut(defang(oneLine(text)), max);
}

function isUrgent(incident: Incident, kind: MailKind): boolean {
  if (kind === 'escalation' || kind === 'overdue' || incident.status === 'drifted') return true;
  return isOpenQuestion(incident) && incident.detection.severity_id >= URGENT_FROM;
}

/** One time zone for everybody, named. */
function inWords(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
}
