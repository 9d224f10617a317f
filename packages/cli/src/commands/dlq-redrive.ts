import { connectBroker } from '../broker.ts';
import { type Command, CommandError, confirm, EXIT, parse, wholeNumber } from '../command.ts';
import { chosen } from '../put-aside.ts';
import { redriveAll } from '../redrive.ts';

const COLUMNS = [{ title: 'id', alignRight: true }, { title: 'outcome' }, { title: 'says', flexible: true }];
const GOOD = new Set(['handled', 'stored', 'duplicate', 'waiting']);

export const dlqRedrive: Command = {
  name: 'dlq redrive',
  summary: 'has them handled once more, through all guards, deadlines and de-duplication',
  help: `
  --all              everything, instead of ids; asks first
  --consumer NAME    with --all, only of this consumer
  --wait SECONDS     how long to wait for the outcome (10)
  --yes              do not ask

A message goes to the service that gave up on it, with its own sequence and time: a decision that is too old by now is
refused, never carried out. A webhook goes through ingest's parser of today. What fails again is put aside again.
Exit code 1 where something failed again.

  cordon dlq redrive 7
  cordon dlq redrive q3 q4
  cordon dlq redrive --all --consumer notifier-slack --yes`,
  async run(args, context) {
    const { values, positionals } = parse(args, {
      all: { type: 'boolean' },
      consumer: { type: 'string' },
      wait: { type: 'string' },
      yes: { type: 'boolean' },
    });
    const waitMs = (wholeNumber('wait', values.wait) ?? 10) * 1000;
    if (values.consumer && !values.all) throw new CommandError(EXIT.usage, '--consumer goes with --all.');
    await using operator = await connectBroker(context);
    const items = await chosen(operator, positionals, values);
    if (values.all && items.length > 0) await confirm(context, values.yes, `Redrive all ${items.length}?`, 'yes');
    const results = await redriveAll(operator, items, waitMs, (done) =>
      context.progress(`${done} of ${items.length} handed over …`),
    );
    context.progress();
    const rows = results.map(({ id, outcome, says }) => [id, outcome, says]);
    context.show(results, COLUMNS, rows, 'Nothing was put aside.');
    return results.every(({ outcome }) => GOOD.has(outcome)) ? EXIT.ok : EXIT.wrong;
  },
};
