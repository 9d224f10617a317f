import { severityName } from '@cordon/contracts';
import {
  commandLineOf,
  describe,
  detectedAt,
  type Fact,
  factsOf,
  type Finding,
  findingFacts,
  type Incident,
  type Moment,
} from '@cordon/incident';
import {
  bold,
  context,
  factLines,
  line,
  mrkdwn,
  mrkdwnDate,
  plain,
  preformatted,
  richDate,
  richText,
  richTextOf,
  SENTENCE_MAX,
  wasCut,
} from '@cordon/text';
import type { Button, KnownBlock } from '@slack/web-api';
import {
  AT_THE_DEADLINE,
  callOf,
  caseOf,
  firstDetailsOf,
  FULL_TEXT,
  isOpenQuestion,
  type News,
  tellMoment,
} from './moments.ts';
import type { SlackContent } from './slack.ts';

const TITLE_MAX = 150;

/** The message about an incident, as it stands now. */
export function renderIncident(incident: Incident, publicUrl: string): SlackContent {
  const { headline, sentence } = describe(incident);
  const { title } = incident.detection.finding_info;
  const severity = severityName(incident.detection.severity_id);
  const commandLine = commandLineOf(incident);
  const source = incident.detection.finding_info.src_url;
  const isOpen = isOpenQuestion(incident);
  const facts = factsOf(incident);
  const details = firstDetailsOf(incident.detection);
  const blocks: (KnownBlock | undefined)[] = [
    { type: 'header', text: plain(`${severity}: ${title}`, TITLE_MAX) },
    richText([...line(bold(headline)), richTextOf(sentence, SENTENCE_MAX)]),
    richText([...factLines(facts), bold('Detected: '), richDate(detectedAt(incident))]),
    commandLine === undefined ? undefined : preformatted(commandLine),
    details.length > 0 ? richText(factLines(details)) : undefined,
    isOpen && incident.question && incident.question.votesNeeded > 1
      ? richText([bold('Why: '), richTextOf(incident.question.why, SENTENCE_MAX)])
      : undefined,
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
        ...(incident.status === 'asked' && incident.question?.terms?.slackDecides ? [decideHere(incident)] : []),
      ],
    },
    source === undefined
      ? undefined
      : richText([{ type: 'link', url: new URL(source).href, text: 'Open in LimaCharlie' }]),
    context(`Cordon, case ${caseOf(incident)}.${wasCut([...facts, ...details], commandLine) ? ` ${FULL_TEXT}` : ''}`),
  ];
  return {
    text: `${statusLine(headline, incident.hostname)} ${severity}: ${mrkdwn(title, 400)}`,
    blocks: blocks.filter((block) => block !== undefined),
  };
}

/** One message of the thread. */
export function renderNews(incident: Incident, news: News): SlackContent {
  return news.kind === 'finding' ? renderFinding(incident, news.finding) : renderMoment(incident, news.moment);
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
  const { users, loud } = callOf(incident, moment);
  const facts: Fact[] = [{ label: 'Host', value: incident.hostname }];
  if (by !== undefined) facts.push({ label: 'By', value: by });
  if (reason) facts.push({ label: 'Reason', value: reason });
  return {
    text: statusLine(headline, incident.hostname),
    loud,
    blocks: [
      ...(users.length > 0 ? [mentions(users)] : []),
      richText([...line(bold(headline)), ...line(richTextOf(sentence, SENTENCE_MAX)), ...factLines(facts)]),
      context(`${what}, ${mrkdwnDate(new Date(moment.at))}`),
    ],
  };
}

/** Approval hears of it, and shows the question to those who may answer. */
function decideHere({ id }: Incident): Button {
  return { type: 'button', text: plain('Decide in Slack', 75), action_id: 'decide', value: id };
}

/** The only mentions there are: of users whom the policy names. */
function mentions(users: string[]): KnownBlock {
  return richText(
    users.flatMap((user) => [
      { type: 'user', user_id: user },
      { type: 'text', text: ' ' },
    ]),
  );
}

function statusLine(headline: string, host: string): string {
  return `${headline.replace(/\.?$/, '.')} Host: ${mrkdwn(host, 400)}.`;
}

function deadline(expiresAt: string): KnownBlock {
  const words = `Decide by ${mrkdwnDate(new Date(expiresAt))}. ${AT_THE_DEADLINE}`;
  return { type: 'section', text: { type: 'mrkdwn', text: words, verbatim: true } };
}
