import {
  type CordonEvent,
  decodeEvent,
  encodeEvent,
  type Endpoint,
  type StoredEvent,
  subjectOf,
} from '@cordon/contracts';
import {
  type Decision,
  type EndpointState,
  evolve,
  type Incident,
  NOTHING_HAPPENED,
  type Refusal,
} from '@cordon/incident';
import type { JetStreamClient, JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { isConflict, RetryLaterError } from './errors.ts';
import { publish } from './publish.ts';
import { DUPLICATE_WINDOW_MS, EVENTS } from './topology.ts';

/** Change it when `evolve` or its state changes: older snapshots are then folded anew. */
const SNAPSHOT_VERSION = 1;
const BATCH = 500;
const CONFLICTS_MAX = 50;
const NO_MESSAGE_FOUND = 404;

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
};
type Snapshot = Omit<View, 'endpoint' | 'replaced'> & { version: number };
export type Appended = { seq: number; duplicate: boolean };

/** The log of every endpoint: append to it, fold it, decide on it. */
export interface EndpointLog {
  /** Appends; the same id again is a duplicate and is not stored. Errors: `BrokerUnavailableError`, `TooLargeError`. */
  append(event: CordonEvent): Promise<Appended>;
  /** Whether a detection is in the log already, however long ago, from `since` on. */
  hasDetection(endpoint: Endpoint, id: string, since: Date): Promise<boolean>;
  /** The endpoint's state, reaching at least to `atLeast`. */
  load(endpoint: Endpoint, atLeast?: number): Promise<View>;
  /**
   * Folds, decides and appends, anew whenever somebody else was faster. Of two rivals exactly one is appended.
   * Returns what was appended (nothing where the decision was to do nothing) and the state it was decided on, which
   * reaches at least to `atLeast`.
   */
  transact(
    endpoint: Endpoint,
    decide: (state: EndpointState) => Decision,
    atLeast?: number,
  ): Promise<{ events: CordonEvent[]; view: View } | { refused: Refusal }>;
  /** Keeps a snapshot of a view, unless a newer one is kept already. */
  keep(view: View): Promise<void>;
  /** An incident by its id, as it stood when last kept. */
  findIncident(id: string): Promise<Incident | undefined>;
  /**
   * Tells of every incident as it stands, then of every change, until stopped. `done` resolves with an error where the
   * watch broke.
   */
  watchIncidents(listener: (incident: Incident) => void): Promise<{ stop(): void; done: Promise<unknown> }>;
}

type Parts = { js: JetStreamClient; jsm: JetStreamManager; snapshots: KV };

export function endpointLog({ js, jsm, snapshots }: Parts): EndpointLog {
  async function append(event: CordonEvent, expected?: { entity: Entity; seq: number }): Promise<Appended> {
    const { headers, payload } = encodeEvent(event);
    const ack = await publish(js, subjectOf(event, event.type), payload, {
      id: event.id,
      headers,
      ...(expected && {
        expect: {
          lastSubjectSequence: expected.seq,
          lastSubjectSequenceSubject: entitySubject(event, expected.entity),
        },
      }),
    });
    return { seq: ack.seq, duplicate: ack.duplicate };
  }

  async function load(endpoint: Endpoint, atLeast = 0): Promise<View> {
    const kept = await readSnapshot(snapshots, endpoint);
    const view: View = { endpoint, replaced: [], ...(kept ?? { state: NOTHING_HAPPENED, seq: 0, heads: {} }) };
    for await (const message of read(jsm, { seq: view.seq + 1, filter: subjectOf(endpoint, '>') })) fold(view, message);
    // A read may be answered by a replica that lags behind.
    if (view.seq < atLeast) throw new RetryLaterError(200, 'the log is not readable up to this event yet');
    return view;
  }

  return {
    append: (event) => append(event),
    load,

    async hasDetection(endpoint, id, since) {
      const start = new Date(since.getTime() - DUPLICATE_WINDOW_MS); // clocks differ
      const filter = subjectOf(endpoint, 'detection.raised');
      for await (const message of read(jsm, { startTime: start, filter })) {
        if (message.header.get('Nats-Msg-Id') === id) return true;
      }
      return false;
    },

    async transact(endpoint, decide, atLeast) {
      for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
        const view = await load(endpoint, atLeast);
        const decision = decide(view.state);
        if ('refused' in decision) return decision;
        try {
          for (const event of decision.events) {
            const entity = entityOf(event.type);
            const { seq } = await append(event, { entity, seq: view.heads[entity] ?? 0 });
            view.heads[entity] = seq;
          }
          return { events: decision.events, view };
        } catch (error) {
          if (!isConflict(error)) throw error;
          const [event] = decision.events;
          if (event && (await isLast(jsm, event))) return { events: decision.events, view }; // our own unanswered attempt
        }
        await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(200, 5 * 2 ** attempt)));
      }
      throw new RetryLaterError(1000, 'too many writers on one endpoint');
    },

    async keep(view) {
      const { endpoint, state, seq, heads, replaced } = view;
      const snapshot: Snapshot = { version: SNAPSHOT_VERSION, state, seq, heads };
      for (const incident of [...replaced, ...(state.incident ? [state.incident] : [])]) {
        await putNewer(snapshots, `incident.${incident.id}`, { seq, incident });
      }
      await putNewer(snapshots, endpointKey(endpoint), snapshot); // last: a crash before it repeats the rest
    },

    async findIncident(id) {
      if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
      const entry = await snapshots.get(`incident.${id}`);
      return entry?.operation === 'PUT' ? entry.json<{ incident: Incident }>().incident : undefined;
    },

    async watchIncidents(listener) {
      const watch = await snapshots.watch({ key: 'incident.>' });
      let stopped = false;
      const told = (async () => {
        for await (const entry of watch) {
          if (entry.operation === 'PUT') listener(entry.json<{ incident: Incident }>().incident);
        }
        return stopped ? undefined : new Error('the watch on incidents ended');
      })();
      return {
        stop: () => {
          stopped = true;
          watch.stop();
        },
        done: told.catch((error: unknown) => error),
      };
    },
  };
}

/** The event in a message of the events stream. Throws where there is none. */
export function eventIn(message: {
  seq: number;
  header: { get(name: string): string };
  string(): string;
}): StoredEvent {
  return { ...decodeEvent((name) => message.header.get(name), message.string()), seq: message.seq };
}

function fold(view: View, message: StoredMsg): void {
  view.seq = message.seq;
  const event = readable(message);
  if (!event) return;
  view.heads[entityOf(event.type)] = message.seq;
  const before = view.state.incident;
  view.state = evolve(view.state, event);
  if (before && before.id !== view.state.incident?.id) view.replaced.push(before);
}

/** A message that is no event cannot change state: its consumers put it into the dead letters, with the reason. */
function readable(message: StoredMsg): StoredEvent | undefined {
  try {
    return eventIn(message);
  } catch {
    return undefined;
  }
}

type Range = { filter: string } & ({ seq: number } | { startTime: Date });

async function* read(jsm: JetStreamManager, range: Range): AsyncGenerator<StoredMsg> {
  let from: { seq: number } | { start_time: Date } =
    'seq' in range ? { seq: range.seq } : { start_time: range.startTime };
  for (;;) {
    let last: StoredMsg | undefined;
    let count = 0;
    try {
      for await (const message of await jsm.direct.getBatch(EVENTS, {
        ...from,
        batch: BATCH,
        next_by_subj: range.filter,
      })) {
        last = message;
        count++;
        yield message;
      }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === NO_MESSAGE_FOUND)) throw error;
    }
    if (!last || count < BATCH) return;
    from = { seq: last.seq + 1 };
  }
}

async function isLast(jsm: JetStreamManager, event: CordonEvent): Promise<boolean> {
  const last = await jsm.streams.getMessage(EVENTS, { last_by_subj: entitySubject(event, entityOf(event.type)) });
  return last?.header.get('Nats-Msg-Id') === event.id;
}

async function readSnapshot(snapshots: KV, endpoint: Endpoint): Promise<Snapshot | undefined> {
  const entry = await snapshots.get(endpointKey(endpoint));
  if (entry?.operation !== 'PUT') return undefined;
  const snapshot = entry.json<Snapshot>();
  return snapshot.version === SNAPSHOT_VERSION ? snapshot : undefined;
}

/** Writes unless the key holds something as new or newer. */
async function putNewer<T extends { seq: number }>(bucket: KV, key: string, value: T): Promise<void> {
  for (;;) {
    const entry = await bucket.get(key);
    if (entry?.operation === 'PUT' && entry.json<{ seq: number }>().seq >= value.seq) return;
    try {
      if (entry) await bucket.update(key, JSON.stringify(value), entry.revision);
      else await bucket.create(key, JSON.stringify(value));
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}

function endpointKey({ tenantId, endpointId }: Endpoint): string {
  return `endpoint.${tenantId}.${endpointId}`;
}

type Entity = 'detection' | 'approval' | 'isolation' | 'release' | 'notification';

function entityOf(type: string): Entity {
  const entity = type.slice(0, type.indexOf('.'));
  switch (entity) {
    case 'detection':
    case 'approval':
    case 'isolation':
    case 'release':
    case 'notification':
      return entity;
    default:
      throw new Error(`no entity in event type ${type}`);
  }
}

function entitySubject(endpoint: Endpoint, entity: Entity): string {
  return subjectOf(endpoint, `${entity}.>`);
}
