import { decodeEvent, type Endpoint, type StoredEvent, subjectOf } from '@cordon/contracts';
import { type EndpointState, evolve, type Incident, NOTHING_HAPPENED } from '@cordon/incident';

/** Change it when `evolve` or its state changes: older snapshots are then folded anew. */
export const SNAPSHOT_VERSION = 3;

/** An endpoint's state, and how far into the log it reaches. */
export type View = {
  endpoint: Endpoint;
  state: EndpointState;
  /** Sequence of the last event folded in. */
  seq: number;
  /** Sequence of the last event per entity (`approval`, `isolation`, ...): what an append expects. */
  heads: Record<string, number>;
  /** Earlier incidents that this fold saw end. */
  replaced: Incident[];
  /** Sequence of the event that ended each of them, by incident id. */
  replacedAt: Record<string, number>;
};
export type Snapshot = Pick<View, 'state' | 'seq' | 'heads'> & { version: number };

/** Where every fold starts. */
export function nothingFolded(endpoint: Endpoint): View {
  return { endpoint, state: NOTHING_HAPPENED, seq: 0, heads: {}, replaced: [], replacedAt: {} };
}

/** What is kept of a view, by key and in the order to write it: the endpoint last, so that a crash repeats the rest. */
export function snapshotsOf(view: View): { key: string; value: { seq: number } }[] {
  const { endpoint, state, seq, heads, replaced, replacedAt } = view;
  const snapshot: Snapshot = { version: SNAPSHOT_VERSION, state, seq, heads };
  return [
    // Not the sequence of the view: how much a fold took in at once must not show in what is kept.
    ...replaced.map((incident) => ({
      key: incidentKey(incident.id),
      value: { seq: replacedAt[incident.id] ?? seq, incident },
    })),
    ...(state.incident ? [{ key: incidentKey(state.incident.id), value: { seq, incident: state.incident } }] : []),
    { key: endpointKey(endpoint), value: snapshot },
  ];
}

/** Says of a message that its machine had none before: the broker took it on that condition. */
export const FIRST_HEADER = 'Cordon-First';

/** A message of the log. One that is no event cannot change state: its consumers put it into the dead letters. */
export type Entry = { seq: number; event: StoredEvent | undefined; bytes: number; isFirst: boolean };

/** The view after the next message of the endpoint's log. */
export function fold(view: View, { seq, event }: Pick<Entry, 'seq' | 'event'>): View {
  if (!event) return { ...view, seq };
  const before = view.state.incident;
  const state = evolve(view.state, event);
  const next = { ...view, state, seq, heads: { ...view.heads, [entityOf(event.type)]: seq } };
  if (!before || before.id === state.incident?.id) return next;
  const replaced = [...view.replaced, before];
  return { ...next, replaced, replacedAt: { ...view.replacedAt, [before.id]: seq } };
}

/** What is read of a message in the log. */
export type LogMessage = {
  seq: number;
  header: { get(name: string): string };
  data: Uint8Array;
  string(): string;
};

/** The event in a message of the log. Throws where there is none. */
export function eventIn(message: LogMessage): StoredEvent {
  return { ...decodeEvent((name) => message.header.get(name), message.string()), seq: message.seq };
}

export function entryOf(message: LogMessage): Entry {
  const isFirst = message.header.get(FIRST_HEADER) !== '';
  const entry = { seq: message.seq, bytes: message.data.length, isFirst };
  try {
    return { ...entry, event: eventIn(message) };
  } catch {
    return { ...entry, event: undefined };
  }
}

export function incidentKey(id: string): string {
  return `incident.${id}`;
}

export function endpointKey({ tenantId, endpointId }: Endpoint): string {
  return `endpoint.${tenantId}.${endpointId}`;
}

export type Entity = 'detection' | 'approval' | 'isolation' | 'release' | 'notification' | 'policy';

export function entityOf(type: string): Entity {
  const entity = type.slice(0, type.indexOf('.'));
  switch (entity) {
    case 'detection':
    case 'approval':
    case 'isolation':
    case 'release':
    case 'notification':
    case 'policy':
      return entity;
    default:
      throw new Error(`no entity in event type ${type}`);
  }
}

export function entitySubject(endpoint: Endpoint, entity: Entity): string {
  return subjectOf(endpoint, `${entity}.>`);
}
