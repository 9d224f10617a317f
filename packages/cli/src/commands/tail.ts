import { eventIn, type Received } from '@cordon/bus';
import { EVENT_TYPES, parseSubject, type StoredEvent, SubjectToken } from '@cordon/contracts';
import { connectBroker } from '../broker.ts';
import { type Command, CommandError, type Context, EXIT, parse, wholeNumber } from '../command.ts';
import { wordsOf } from '../event-words.ts';
import { placeOf } from '../place.ts';
import { cut, inertJson, visible } from '../visible.ts';

export const tail: Command = {
  name: 'tail',
  summary: 'follows the events as they happen',
  help: `
  --type TYPE        only this type, or all of an entity: isolation.confirmed, 'isolation.*' (may be repeated)
  --endpoint ID      only this sensor
  --incident ID      only this incident (the detections of its machine included)
  --from PLACE       begin there instead of now: a sequence, a time, or how long ago
  --count N          stop after so many

  cordon tail
  cordon tail --type 'approval.*' --type 'isolation.*' --from 1h
  cordon tail --json | jq 'select(.type == "isolation.failed")'    one event per line`,
  async run(args, context) {
    const { values } = parse(args, {
      type: { type: 'string', multiple: true },
      endpoint: { type: 'string' },
      incident: { type: 'string' },
      from: { type: 'string' },
      count: { type: 'string' },
    });
    const limit = wholeNumber('count', values.count) ?? Infinity;
    const from = placeOf(values.from);
    const filters = filtersOf(values.type ?? ['*.*'], values.endpoint);
    await using operator = await connectBroker(context);
    let count = 0;
    const range = { filters, ...(from !== undefined && { from }) };
    for await (const message of operator.tail(range, context.signal)) {
      const event = readable(message);
      if (!event) context.err(`${message.seq} ${visible(message.subject)} is not an event this version understands\n`);
      else if (!values.incident || isAbout(event, values.incident)) {
        print(event, context);
        if (++count >= limit) break;
      }
    }
    return context.signal.aborted ? EXIT.interrupted : EXIT.ok;
  },
};

function print(event: StoredEvent, context: Context): void {
  if (context.json) return context.out(`${inertJson(event)}\n`);
  const { what, who, note } = wordsOf(event);
  const about = 'incidentId' in event.data ? event.data.incidentId : event.endpointId;
  const line = [String(event.seq).padStart(6), event.time, about.slice(0, 8), what, who, note]
    .map(visible)
    .filter(Boolean)
    .join('  ');
  context.out(`${context.columns === undefined ? line : cut(line, context.columns)}\n`);
}

function filtersOf(types: readonly string[], endpointId: string | undefined): string[] {
  if (endpointId !== undefined && !SubjectToken.safeParse(endpointId).success) {
    throw new CommandError(EXIT.usage, `'${endpointId}' is no sensor id: it takes letters, digits and hyphens.`);
  }
  const entities = new Set(EVENT_TYPES.map((type) => type.slice(0, type.indexOf('.'))));
  return types.map((type) => {
    const entity = /^([a-z]+)\.\*$/.exec(type)?.[1];
    const isKnown = type === '*.*' || (entity ? entities.has(entity) : EVENT_TYPES.some((known) => known === type));
    if (!isKnown)
      throw new CommandError(EXIT.usage, `'${type}' is no event type. There are: ${EVENT_TYPES.join(', ')}.`);
    return `cordon.events.*.${endpointId ?? '*'}.${type}`;
  });
}

function isAbout(event: StoredEvent, incident: string): boolean {
  return (
    event.type === 'detection.raised' || ('incidentId' in event.data && event.data.incidentId.startsWith(incident))
  );
}

function readable(message: Received): StoredEvent | undefined {
  if (!parseSubject(message.subject)) return undefined;
  try {
    return eventIn(message);
  } catch {
    return undefined;
  }
}
