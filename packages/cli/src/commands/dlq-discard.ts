import { connectBroker } from '../broker.ts';
import { type Command, CommandError, confirm, EXIT, parse } from '../command.ts';
import { chosen, remove } from '../put-aside.ts';

export const dlqDiscard: Command = {
  name: 'dlq discard',
  summary: 'removes them for good',
  help: `
  --all              everything, instead of ids
  --consumer NAME    with --all, only of this consumer
  --yes              do not ask

The event behind a dead letter stays in the log: it is only not handled. A quarantined webhook is gone for good.

  cordon dlq discard 7 8
  cordon dlq discard --all --consumer ingest --yes`,
  async run(args, context) {
    const { values, positionals } = parse(args, {
      all: { type: 'boolean' },
      consumer: { type: 'string' },
      yes: { type: 'boolean' },
    });
    if (values.consumer && !values.all) throw new CommandError(EXIT.usage, '--consumer goes with --all.');
    await using operator = await connectBroker(context);
    const items = await chosen(operator, positionals, values);
    const ids = items.map(({ id }) => id);
    if (items.length > 0) await confirm(context, values.yes, `Discard ${ids.join(', ')} for good?`, 'discard');
    for (const item of items) await remove(operator, item);
    if (context.json) context.printJson({ discarded: ids });
    else context.out(items.length === 0 ? 'Nothing was put aside.\n' : `Discarded: ${ids.join(', ')}.\n`);
    return EXIT.ok;
  },
};
