import { type Incident, isClosed } from '@cordon/incident';
import { connectBroker } from '../broker.ts';
import { type Command, CommandError, EXIT, parse, wholeNumber } from '../command.ts';

const COLUMNS = [
  { title: 'id' },
  { title: 'opened' },
  { title: 'status' },
  { title: 'host', flexible: true },
  { title: 'hits', alignRight: true },
  { title: 'finding', flexible: true },
];
const STATES = ['open', 'closed', 'all'];

export const incidents: Command = {
  name: 'incidents',
  summary: 'lists incidents, the newest first',
  help: `
  --state open|closed|all   which ones (all)
  --host TEXT               only hosts whose name contains this
  --limit N                 at most so many (50)

  cordon incidents --state open
  cordon incidents --host win-srv --json | jq -r '.[].id'`,
  async run(args, context) {
    const { values } = parse(args, {
      state: { type: 'string', default: 'all' },
      host: { type: 'string' },
      limit: { type: 'string' },
    });
    if (!STATES.includes(values.state)) throw new CommandError(EXIT.usage, `--state takes ${STATES.join(', ')}.`);
    await using operator = await connectBroker(context);
    const found: Incident[] = [];
    for await (const incident of operator.incidents()) {
      if (values.state !== 'all' && isClosed(incident) !== (values.state === 'closed')) continue;
      if (values.host && !incident.hostname.toLowerCase().includes(values.host.toLowerCase())) continue;
      found.push(incident);
    }
    const shown = found
      .toSorted((a, b) => b.openedAt.localeCompare(a.openedAt))
      .slice(0, wholeNumber('limit', values.limit) ?? 50);
    context.show(
      shown,
      COLUMNS,
      shown.map((incident) => [
        incident.id.slice(0, 12),
        incident.openedAt.slice(0, 19),
        incident.status,
        incident.hostname,
        incident.detectionCount,
        incident.findings[0]?.title,
      ]),
      'There are no such incidents.',
    );
    return EXIT.ok;
  },
};
