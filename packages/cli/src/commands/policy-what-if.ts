import { eventIn, type Operator } from '@cordon/bus';
import { filterOf, type StoredEvent } from '@cordon/contracts';
import { type Difference, type PastDecision, whatIf } from '@cordon/policy';
import { connectBroker } from '../broker.ts';
import { type Command, CommandError, EXIT, parse, wholeNumber } from '../command.ts';
import { pastDecisions } from '../past-decisions.ts';
import { placeOf } from '../place.ts';
import { policySettings, readPolicy } from '../policy-settings.ts';

const COLUMNS = [
  { title: 'incident' },
  { title: 'at' },
  { title: 'host', flexible: true },
  { title: 'tier' },
  { title: 'was', flexible: true },
  { title: 'would be', flexible: true },
];

export const policyWhatIf: Command = {
  name: 'policy what-if',
  summary: 'says which decisions of the past another policy would have changed, and how',
  help: `
  --since PLACE  from there on: how long ago, a time, or a sequence
  --file FILE    the other policy (left out: the one in force, POLICY_FILE, or else the built-in one)
  --fleet N      how many machines there are, for the share of the fleet in the blast radius (left out: not considered)

It reads the log and changes nothing. What people would have done instead is not guessed, and groups are not recorded: it says
only that other groups decide.

  cordon policy what-if --since 30d --file policy.yaml
  cordon policy what-if --since 30d --file policy.yaml --fleet 1200 --json | jq length`,
  async run(args, context) {
    const { values, positionals } = parse(args, {
      since: { type: 'string' },
      file: { type: 'string' },
      fleet: { type: 'string' },
    });
    const since = placeOf(values.since);
    if (since === undefined || positionals.length > 0) {
      throw new CommandError(EXIT.usage, 'Say where to begin: cordon policy what-if --since 30d.');
    }
    const fleet = wholeNumber('fleet', values.fleet);
    const { file, defaults, protectedHosts } = policySettings(context.env);
    const policy = readPolicy(values.file ?? file, protectedHosts);
    await using operator = await connectBroker(context);
    context.progress('reading the log …');
    const history = await pastDecisions(eventsSince(operator, since));
    context.progress();
    const differences = whatIf(policy, history, { defaults, fleet });
    const all = `${history.length} ${history.length === 1 ? 'decision' : 'decisions'}`;
    context.show(differences, COLUMNS, differences.map(rowOf), `None of ${all} would have been different.`);
    if (!context.json && differences.length > 0) {
      context.out(`${differences.length} of ${all} would have been different.\n`);
    }
    return EXIT.ok;
  },
};

async function* eventsSince(operator: Operator, since: number | Date): AsyncGenerator<StoredEvent> {
  const start = typeof since === 'number' ? { seq: since } : { startTime: since };
  for await (const message of operator.read({ ...start, filter: filterOf('>') })) {
    let event: StoredEvent;
    try {
      event = eventIn(message);
    } catch {
      continue; // a dead letter tells of it
    }
    yield event;
  }
}

function rowOf({ past, tier, how }: Difference) {
  const { incidentId, decidedAt, machine } = past;
  return [incidentId.slice(0, 12), decidedAt.slice(0, 16), machine.hostname, tier, wasOf(past), how.join('; ')];
}

function wasOf({ outcome, rule, answers, result }: PastDecision): string {
  if (outcome === 'expired') return 'expired';
  const by = rule === undefined ? answers.map(({ name }) => name).join(', ') : `rule ${rule}`;
  return `${outcome === 'leave' ? 'left' : (result ?? 'decided')} by ${by}`;
}
