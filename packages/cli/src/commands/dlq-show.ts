import { connectBroker } from '../broker.ts';
import { type Command, CommandError, EXIT, parse } from '../command.ts';
import { findPutAside, type PutAside } from '../put-aside.ts';
import { facts } from '../table.ts';
import { visibleLines } from '../visible.ts';

export const dlqShow: Command = {
  name: 'dlq show',
  summary: 'shows one of them whole: reason, stack, headers, payload',
  help: `
  cordon dlq show ID

  cordon dlq show 7
  cordon dlq show q3 --json | jq -r .payload    the exact bytes, as base64`,
  async run(args, context) {
    const { positionals } = parse(args, {});
    if (positionals.length !== 1) throw new CommandError(EXIT.usage, 'Give one id: cordon dlq show 7.');
    await using operator = await connectBroker(context);
    const [item] = await findPutAside(operator, positionals);
    if (!item) throw new CommandError(EXIT.notFound, `There is no ${positionals[0]}.`);
    if (context.json) context.printJson(item);
    else context.out(shown(item));
    return EXIT.ok;
  },
};

function shown(item: PutAside): string {
  const common = facts([
    ['id', item.id],
    ['put aside', item.at],
    ['by', item.consumer],
    ['what', item.what],
    ['endpoint', item.endpointId],
    ['tries', item.attempts],
    ['reason', item.reason],
  ]);
  if ('unreadable' in item) return `${common}\n${visibleLines(item.unreadable)}\n`;
  if ('webhook' in item) {
    const { receivedAt, mediaType, sha256, body } = item.webhook;
    const more = facts([
      ['received', receivedAt],
      ['type', mediaType],
      ['sha256', sha256],
    ]);
    return `${common}${more}\npayload\n${textOf(body)}\n`;
  }
  const { stream, subject, seq, headers, stack, payload } = item.letter;
  const origin = facts([
    ['stream', stream],
    ['sequence', seq],
    ['subject', subject],
  ]);
  return [
    `${common}${origin}`,
    ...(stack === undefined ? [] : [`\nstack\n${visibleLines(stack)}\n`]),
    `\nheaders\n${visibleLines(facts(Object.entries(headers)).trimEnd())}\n`,
    `\npayload\n${textOf(payload)}\n`,
  ].join('');
}

function textOf(base64: string): string {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  return visibleLines(indented(text));
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}
