import { describe } from '@cordon/incident';
import { connectBroker } from '../broker.ts';
import { type Command, CommandError, EXIT, parse } from '../command.ts';
import { wordsOf } from '../event-words.ts';
import { findIncident } from '../find-incident.ts';
import { facts, table } from '../table.ts';

const COLUMNS = [
  { title: 'seq', alignRight: true },
  { title: 'at' },
  { title: 'what' },
  { title: 'who', flexible: true },
  { title: 'note', flexible: true },
];

export const incident: Command = {
  name: 'incident',
  summary: 'shows one incident with its timeline',
  help: `
  cordon incident ID    the id, or its first characters

  cordon incident 3f1c
  cordon incident 3f1c --json | jq '.events[].type'`,
  async run(args, context) {
    const { positionals } = parse(args, {});
    const [id] = positionals;
    if (!id || positionals.length > 1) throw new CommandError(EXIT.usage, 'Give one incident: cordon incident ID.');
    await using operator = await connectBroker(context);
    const { incident: found, events } = await findIncident(operator, id);
    if (context.json) {
      context.printJson({ incident: found, events });
      return EXIT.ok;
    }
    const { headline, sentence } = describe(found);
    context.out(
      facts([
        ['incident', found.id],
        ['status', `${found.status}: ${headline}`],
        ['', sentence],
        ['host', found.hostname],
        ['endpoint', `${found.tenantId}/${found.endpointId}`],
        ['opened', found.openedAt],
        [
          'detections',
          `${found.detectionCount}${found.suppressedCount ? `, ${found.suppressedCount} after closing` : ''}`,
        ],
        ...found.findings.map((finding): [string, string] => [
          'finding',
          [finding.title, finding.commandLine ?? finding.filePath].filter(Boolean).join(': '),
        ]),
        ['answer by', found.status === 'asked' ? found.question?.expiresAt : undefined],
      ]),
    );
    const rows = events.map((event) => {
      const { what, who, note } = wordsOf(event);
      return [event.seq, event.time, what, who, note];
    });
    context.out(`\n${table(COLUMNS, rows, context.columns)}`);
    return EXIT.ok;
  },
};
