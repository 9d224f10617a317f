import { randomUUID } from 'node:crypto';
import { concernOf, type ConsumerSpec, eventIn, type Operator } from '@cordon/bus';
import { filterOf, type StoredEvent, subjectOf } from '@cordon/contracts';
import { connectBroker } from '../broker.ts';
import { type Command, CommandError, confirm, type Context, EXIT, parse, wholeNumber } from '../command.ts';
import { findIncident } from '../find-incident.ts';
import { placeOf } from '../place.ts';
import { rebuildSnapshots } from '../rebuild-snapshots.ts';
import { lettersAfter, waitFor } from '../redrive.ts';
import { type Act, rehearsalFor, rehearse, REHEARSED } from '../rehearsal/index.ts';
import { inertJson, visible } from '../visible.ts';

export const replay: Command = {
  name: 'replay',
  summary: 'rebuilds snapshots, or rehearses what a consumer would do again; --for-real does it',
  help: `
  --rebuild            fold every log anew and replace the snapshots that differ or are missing
    --check            only compare, byte for byte; exit code 1 where one differs or is missing

  --consumer NAME      ${REHEARSED.join(', ')}
    --from PLACE       from there on: a sequence, a time, or how long ago
    --incident ID      only the events of one incident
    --for-real         have the service itself handle them once more; needs --incident, and asks
    --wait SECONDS     with --for-real, how long to wait for it (10)
    --yes              do not ask

Without --for-real nothing is sent, called or written: it prints what would be. The handlers are the services' own, on the
state of now: what was done before is not done again, and a decision that is too old by now is refused.

  cordon replay --rebuild --check
  cordon replay --consumer notifier-slack --from 2h
  cordon replay --consumer executor-execute --incident 3f1c
  cordon replay --consumer notifier-email --incident 3f1c --for-real`,
  async run(args, context) {
    const { values } = parse(args, {
      rebuild: { type: 'boolean' },
      check: { type: 'boolean' },
      consumer: { type: 'string' },
      from: { type: 'string' },
      incident: { type: 'string' },
      'for-real': { type: 'boolean' },
      wait: { type: 'string' },
      yes: { type: 'boolean' },
    });
    if (Boolean(values.rebuild) === Boolean(values.consumer)) {
      throw new CommandError(EXIT.usage, 'Say --rebuild, or --consumer NAME. `cordon replay --help` explains both.');
    }
    if (values.rebuild) return rebuildSnapshots(context, values.check === true);

    const { consumer = '', incident } = values;
    const found = rehearsalFor(consumer);
    if (!found)
      throw new CommandError(EXIT.usage, `There is no '${consumer}' to replay. There are: ${REHEARSED.join(', ')}.`);
    if (!incident && values['for-real'])
      throw new CommandError(EXIT.usage, '--for-real goes one incident at a time: give --incident.');
    if (!incident && !values.from)
      throw new CommandError(EXIT.usage, 'Say where to begin: --from PLACE, or --incident ID.');
    const from = placeOf(values.from) ?? 1;
    await using operator = await connectBroker(context);
    const events = eventsOf(operator, found.spec, from, incident);
    if (values['for-real']) {
      const waitMs = (wholeNumber('wait', values.wait) ?? 10) * 1000;
      return await forReal(operator, found.spec, await Array.fromAsync(events), {
        context,
        yes: values.yes,
        waitMs,
        incident,
      });
    }

    const acts: Act[] = [];
    const handler = await found.rehearsal(operator, context.env, acts);
    let count = 0;
    for await (const event of events) {
      if (context.signal.aborted) return EXIT.interrupted;
      const { seq, type, endpointId, would, ends } = await rehearse(handler, event, acts);
      count++;
      if (context.json) context.out(`${inertJson({ seq, type, endpointId, would, ends })}\n`);
      else {
        context.out(`${seq}  ${type}  ${visible(endpointId)}: ${visible(ends)}\n`);
        for (const act of would) context.out(`    would  ${act.to}: ${visible(act.what)}\n`);
      }
    }
    if (!context.json) context.out(`${count} events rehearsed. Nothing was sent, called or written.\n`);
    return EXIT.ok;
  },
};

/** The events that the consumer would be given. */
async function* eventsOf(
  operator: Operator,
  spec: ConsumerSpec,
  from: number | Date,
  incident: string | undefined,
): AsyncGenerator<StoredEvent> {
  const isConcerned = concernOf(spec);
  const isFor = (event: StoredEvent): boolean =>
    isConcerned(subjectOf(event, event.type)) &&
    (typeof from === 'number' ? event.seq >= from : event.time >= from.toISOString());
  if (incident) {
    for (const event of (await findIncident(operator, incident)).events) if (isFor(event)) yield event;
    return;
  }
  const start = typeof from === 'number' ? { seq: from } : { startTime: from };
  for await (const message of operator.read({ ...start, filter: filterOf('>') })) {
    let event: StoredEvent;
    try {
      event = eventIn(message);
    } catch {
      continue; // a dead letter tells of it
    }
    if (isFor(event)) yield event;
  }
}

type Real = { context: Context; yes: boolean | undefined; waitMs: number; incident: string | undefined };

/** Hands the events to the service, which handles them with all its guards. What fails becomes a dead letter. */
async function forReal(
  operator: Operator,
  { name, stream }: ConsumerSpec,
  events: StoredEvent[],
  { context, yes, waitMs, incident = '' }: Real,
): Promise<number> {
  const what = `${name} is going to handle ${events.length} events of incident ${incident} again: it may call and tell others.`;
  await confirm(context, yes, what, incident);
  const before = Math.max(0, ...(await lettersAfter(operator, 0)).map(({ seq }) => seq));
  const run = randomUUID();
  for (const { seq } of events) await operator.redrive(name, { stream, seq }, `replay:${run}:${seq}`);
  const waiting = await waitFor(operator, new Set([name]), waitMs);
  const failed = (await lettersAfter(operator, before)).filter((letter) => letter.consumer === name);
  const outcome = failed.length > 0 ? 'failed' : waiting.size === 0 ? 'handled' : 'waiting';
  const seqs = events.map(({ seq }) => seq);
  if (context.json) context.printJson({ consumer: name, events: seqs, outcome, deadLetters: failed });
  else {
    for (const { seq, of, reason } of failed) context.out(`${of} failed, now dead letter ${seq}: ${visible(reason)}\n`);
    if (waiting.size > 0) context.out(`${name} has not finished: is its service running?\n`);
    context.out(`${events.length} events handed to ${name}: ${outcome}.\n`);
  }
  return outcome === 'failed' ? EXIT.wrong : EXIT.ok;
}
