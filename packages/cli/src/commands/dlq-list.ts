import { connectBroker } from '../broker.ts';
import { type Command, EXIT, parse } from '../command.ts';
import { allPutAside, type PutAside } from '../put-aside.ts';

const COLUMNS = [
  { title: 'id', alignRight: true },
  { title: 'at' },
  { title: 'consumer' },
  { title: 'what', flexible: true },
  { title: 'tries', alignRight: true },
  { title: 'reason', flexible: true },
];

export const dlqList: Command = {
  name: 'dlq list',
  summary: 'lists dead letters (7) and quarantined webhooks (q3)',
  help: `
  --consumer NAME    only what this consumer gave up on; \`ingest\` for webhooks

Exit code 0 also where there are some: count them with --json.

  cordon dlq list
  cordon dlq list --consumer notifier-slack
  cordon dlq list --json | jq length`,
  async run(args, context) {
    const { values } = parse(args, { consumer: { type: 'string' } });
    await using operator = await connectBroker(context);
    const found: PutAside[] = [];
    for await (const item of allPutAside(operator)) {
      if (!values.consumer || item.consumer === values.consumer) found.push(item);
    }
    const summaries = found.map(({ id, at, consumer, what, endpointId, attempts, reason }) => ({
      id,
      at,
      consumer,
      what,
      endpointId,
      attempts,
      reason,
    }));
    const rows = summaries.map(({ id, at, consumer, what, attempts, reason }) => [
      id,
      at,
      consumer,
      what,
      attempts,
      reason,
    ]);
    context.show(summaries, COLUMNS, rows, 'Nothing was put aside.');
    return EXIT.ok;
  },
};
