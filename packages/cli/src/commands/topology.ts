import type { TopologyItem } from '@cordon/bus';
import { brokerSettings, connectBroker } from '../broker.ts';
import { type Command, EXIT, parse } from '../command.ts';
import { visible } from '../visible.ts';

const COLUMNS = [
  { title: 'kind' },
  { title: 'name' },
  { title: 'of', flexible: true },
  { title: 'messages', alignRight: true },
  { title: 'in hand', alignRight: true },
  { title: 'bytes', alignRight: true },
  { title: 'replicas', alignRight: true },
  { title: 'state' },
];

export const topology: Command = {
  name: 'topology',
  summary: 'shows streams, consumers and buckets, and how they drifted; --apply mends that',
  help: `
  --apply    create what is missing and change what differs; what nobody declared is never removed

Exit code 1 where something is missing or differs. NATS_REPLICAS is compared where it is set.

  cordon topology
  cordon topology --apply
  cordon topology --json | jq '.[] | select(.state != "as declared")'`,
  async run(args, context) {
    const { values } = parse(args, { apply: { type: 'boolean' } });
    const { replicas } = brokerSettings(context.env);
    await using operator = await connectBroker(context);
    const before = await operator.topology(replicas);
    if (values.apply) {
      context.progress('bringing streams and consumers to their declared state …');
      await operator.applyTopology(replicas);
      context.progress();
    }
    const items = values.apply ? await operator.topology(replicas) : before;
    context.show(items, COLUMNS, items.map(rowOf), 'Nothing is declared.');
    if (!context.json) {
      for (const line of items.flatMap(driftOf)) context.out(`${line}\n`);
      if (values.apply) context.out(`${before.filter(isDrift).length} put right.\n`);
    }
    return items.some(isDrift) ? EXIT.wrong : EXIT.ok;
  },
};

/** Whether an item is not as it should be. What nobody declared does no harm. */
export function isDrift({ state }: TopologyItem): boolean {
  return state === 'missing' || state === 'differs';
}

function rowOf(item: TopologyItem) {
  const { kind, name, stream, messages, inHand, bytes, replicas, state } = item;
  return [kind, name, stream, messages, inHand, bytes, replicas, state];
}

/** One line for each setting that differs, with both values. */
export function driftOf({ kind, name, state, differences }: TopologyItem): string[] {
  if (state === 'missing') return [visible(`${kind} ${name} is missing`)];
  return differences.map(({ setting, declared, found }) =>
    visible(`${kind} ${name}: ${setting} is ${JSON.stringify(found)}, declared ${JSON.stringify(declared)}`),
  );
}
