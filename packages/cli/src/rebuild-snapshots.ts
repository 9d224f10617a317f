import { connectBroker } from './broker.ts';
import { type Context, EXIT } from './command.ts';
import { visible } from './visible.ts';

const SAYS = {
  identical: 'identical',
  different: 'differs from its log',
  missing: 'is missing',
  'lost-log': 'differs, but the beginning of its log is gone: kept as it is',
};

/** Folds every endpoint's log anew and compares; without `check` what differs or is missing is replaced. */
export async function rebuildSnapshots(context: Context, check: boolean): Promise<number> {
  await using operator = await connectBroker(context);
  const endpoints = await operator.endpoints();
  const counts = { identical: 0, different: 0, missing: 0, 'lost-log': 0, written: 0 };
  const notable: { key: string; was: string; written: boolean }[] = [];
  for (const [done, endpoint] of endpoints.entries()) {
    if (context.signal.aborted) return EXIT.interrupted;
    context.progress(`${done} of ${endpoints.length} logs folded …`);
    for await (const { key, was, written } of operator.rebuild(endpoint, !check)) {
      counts[was]++;
      if (written) counts.written++;
      if (was !== 'identical') notable.push({ key, was, written });
    }
  }
  context.progress();
  if (context.json) context.printJson({ endpoints: endpoints.length, ...counts, snapshots: notable });
  else {
    for (const { key, was, written } of notable) {
      const says = Object.entries(SAYS).find(([name]) => name === was)?.[1] ?? was;
      context.out(`${visible(key)} ${says}${written ? ': rebuilt' : ''}\n`);
    }
    const bad = notable.length === 0 ? '' : `, ${notable.length} not`;
    context.out(`${endpoints.length} logs folded: ${counts.identical} snapshots identical byte for byte${bad}.\n`);
  }
  return notable.every(({ written }) => written) ? EXIT.ok : EXIT.wrong;
}
