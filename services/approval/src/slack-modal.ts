import { commandLineOf, describe, factsDigest, factsOf, type Incident } from '@cordon/incident';
import {
  bold,
  context,
  factLines,
  line,
  link,
  mrkdwnDate,
  plain,
  preformatted,
  richText,
  richTextOf,
  SENTENCE_MAX,
  wasCut,
} from '@cordon/text';
import type { KnownBlock, ModalView } from '@slack/web-api';
import { CHOICE, DECIDE, REASON, type Shown } from './slack-interactions.ts';

const FINDINGS_SHOWN = 5;
const FINDING_MAX = 300;

/** Why a modal is shown again, and what had been entered. */
export type Again = { message: string; reason: string };

/** The question with the facts as they are now. Nothing is chosen beforehand. */
export function questionModal(incident: Incident, publicUrl: string, hasVoted: boolean, again?: Again): ModalView {
  const { id, hostname, question } = incident;
  const digest = factsDigest(incident);
  const shown: Shown = { incidentId: id, question: question?.eventId ?? '', digest };
  const facts = factsOf(incident);
  const commandLine = commandLineOf(incident);
  const isCut = wasCut(facts, commandLine) || incident.findings.length > FINDINGS_SHOWN + 1;
  const blocks: (KnownBlock | undefined)[] = [
    again && richText([bold(again.message)]),
    richText([...line(richTextOf(describe(incident).sentence, SENTENCE_MAX)), ...factLines(facts)]),
    commandLine === undefined ? undefined : preformatted(commandLine),
    otherFindings(incident),
    richText([richTextOf(effectOn(incident), SENTENCE_MAX)]),
    {
      type: 'input',
      // Another block than before, or Slack would keep the choice that was made about other facts.
      block_id: `${CHOICE}-${digest.slice(0, 16)}`,
      label: plain(`Isolate ${hostname}?`, 2000),
      ...(hasVoted && { hint: plain('Your yes is counted. You can still take it back with a no.', 2000) }),
      element: {
        type: 'radio_buttons',
        action_id: CHOICE,
        options: [
          option('leave', 'No, keep it connected', 'False alarm, or too harmful to cut off.'),
          ...(hasVoted ? [] : [option('isolate', 'Yes, isolate it', 'Stops the attacker, and everybody else.')]),
        ],
      },
    },
    {
      type: 'input',
      block_id: REASON,
      label: plain('Reason', 2000),
      hint: plain('5 to 500 characters. The team will read it in Slack, in the mail and on the page.', 2000),
      element: {
        type: 'plain_text_input',
        action_id: REASON,
        multiline: true,
        min_length: 5,
        max_length: 500,
        ...(again && { initial_value: again.reason }),
      },
    },
    question &&
      context(`Without an answer by ${mrkdwnDate(new Date(question.expiresAt))} the machine stays connected.`),
    pageLink(id, publicUrl, isCut ? 'The full text is on the page' : 'Open the page'),
  ];
  return {
    type: 'modal',
    callback_id: DECIDE,
    private_metadata: JSON.stringify(shown),
    title: plain('Isolate this machine?', 24),
    submit: plain('Send my answer', 24),
    close: plain('Cancel', 24),
    blocks: blocks.filter((block) => block !== undefined),
  };
}

/** What became of an answer. */
export function messageModal(title: string, message: string, incidentId: string, publicUrl: string): ModalView {
  return {
    type: 'modal',
    title: plain(title, 24),
    close: plain('Close', 24),
    blocks: [richText([richTextOf(message, SENTENCE_MAX)]), pageLink(incidentId, publicUrl, 'Open the page')],
  };
}

function option(value: 'isolate' | 'leave', label: string, description: string) {
  return { value, text: plain(label, 75), description: plain(description, 75) };
}

function effectOn({ hostname, detection }: Incident): string {
  if (!detection.device.isolatable) {
    return 'This source is not a machine that LimaCharlie can isolate: a yes will be refused.';
  }
  return `Isolation cuts ${hostname} off from the network, except from LimaCharlie. Whoever works on it or uses its services loses them at once. It can be undone.`;
}

function otherFindings({ findings, findingsDropped }: Incident): KnownBlock | undefined {
  const others = findings.slice(1);
  if (others.length === 0) return undefined;
  const shown = others.slice(0, FINDINGS_SHOWN);
  const rest = others.length - shown.length + findingsDropped;
  return richText([
    ...line(bold('Also seen:')),
    ...shown.flatMap(({ title, commandLine, filePath }) =>
      line(richTextOf(`${title}: ${commandLine ?? filePath ?? ''}`, FINDING_MAX)),
    ),
    ...(rest > 0 ? line(richTextOf(`and ${rest} more`, 50)) : []),
  ]);
}

function pageLink(incidentId: string, publicUrl: string, words: string): KnownBlock {
  return richText([link(`${publicUrl}/approvals/${incidentId}`, words)]);
}
