import {
  type CordonEvent,
  encodeEvent,
  type Endpoint,
  POLICY_LOG,
  type PolicyChanged,
  type StoredEvent,
  subjectOf,
} from '@cordon/contracts';
import type { Decision, EndpointState, Incident, Refusal } from '@cordon/incident';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { LRUCache } from 'lru-cache';
import { isConflict, RetryLaterError } from './errors.ts';
import {
  endpointKey,
  eventIn,
  type Entry,
  entityOf,
  entryOf,
  entitySubject,
  FIRST_HEADER,
  fold,
  type View,
} from './fold.ts';
import { publish } from './publish.ts';
import { readStream } from './read-stream.ts';
import type { RecentEvents } from './recent.ts';
import { createSnapshots } from './snapshots.ts';
import { DUPLICATE_WINDOW_MS, EVENTS } from './topology.ts';
import { createViews } from './views.ts';

const CONFLICTS_MAX = 50;
/** Machines known to have a log already. */
const SEEN_KEPT = 10_000;

export type Appended = { seq: number; duplicate: boolean };

/** The log of every endpoint: append to it, fold it, decide on it. */
export interface EndpointLog {
  /** Appends; the same id again is a duplicate and is not stored. Errors: `BrokerUnavailableError`, `TooLargeError`. */
  append(event: CordonEvent): Promise<Appended>;
  /** Whether a detection is in the log already, however long ago, from `since` on. */
  hasDetection(endpoint: Endpoint, id: string, since: Date): Promise<boolean>;
  /** The ids of all detections in the log from `since` on: one search where many would be looked for. */
  detectionsSince(endpoint: Endpoint, since: Date): Promise<ReadonlySet<string>>;
  /**
   * The endpoint's state. With `atLeast`, as far as this process has heard of events, and at least to that one; without, the
   * broker is asked for the state as it is now.
   */
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
  /**
   * Calls with every event that happens while the log is followed, once the views have it. Sooner than a consumer, but where
   * the connection breaks some never come.
   */
  listen(listener: (event: StoredEvent) => void): void;
  /** The change to the policy that is in force, if there ever was one. */
  lastPolicy(): Promise<PolicyChanged | undefined>;
  /** An incident by its id, as it stood when last kept. */
  findIncident(id: string): Promise<Incident | undefined>;
  /**
   * Tells of every incident as it stands, then of every change, until stopped. `done` resolves with an error where the
   * watch broke.
   */
  watchIncidents(listener: (incident: Incident) => void): Promise<{ stop(): void; done: Promise<unknown> }>;
}

/** What has to hold for an append: the sequence of the last event of this filter, and with `isFirst` that there is none. */
type Expected = { seq: number; filter: string; isFirst?: boolean };
type Parts = { js: JetStreamClient; jsm: JetStreamManager; snapshots: KV; recent?: RecentEvents };

export function endpointLog({ js, jsm, snapshots: bucket, recent }: Parts): EndpointLog {
  const snapshots = createSnapshots(bucket);
  const views = createViews();
  const seen = new LRUCache<string, true>({ max: SEEN_KEPT });
  recent?.listen((key, entry) => views.advance(key, entry, recent.unbrokenSince()));

  async function append(event: CordonEvent, expected?: Expected): Promise<Appended> {
    const { headers, payload } = encodeEvent(event);
    const ack = await publish(js, subjectOf(event, event.type), payload, {
      id: event.id,
      headers: expected?.isFirst ? { ...headers, [FIRST_HEADER]: 'true' } : headers,
      ...(expected && {
        expect: { lastSubjectSequence: expected.seq, lastSubjectSequenceSubject: expected.filter },
      }),
    });
    return { seq: ack.seq, duplicate: ack.duplicate };
  }

  /** Marks the first that ever happens to a machine: who follows the log then knows without a look what was before. */
  async function appendDetection(event: CordonEvent): Promise<Appended> {
    const key = endpointKey(event);
    const asFirst = { seq: 0, filter: subjectOf(event, '>'), isFirst: true };
    const appended = await append(event, seen.has(key) ? undefined : asFirst).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
      return append(event);
    });
    seen.set(key, true);
    return appended;
  }

  async function* read(endpoint: Endpoint, after: number): AsyncGenerator<Entry> {
    for await (const message of readStream(jsm, EVENTS, { seq: after + 1, filter: subjectOf(endpoint, '>') }))
      yield entryOf(message);
  }

  async function load(endpoint: Endpoint, atLeast?: number): Promise<View> {
    const live = atLeast === undefined ? undefined : await atHand(endpoint, atLeast);
    return live ?? look(endpoint, atLeast);
  }

  /** A view that needs no look into the log, where it reaches far enough. */
  async function atHand(endpoint: Endpoint, atLeast: number): Promise<View | undefined> {
    if (!recent || !(await recent.reached(atLeast))) return undefined;
    const known = views.get(endpoint);
    const isLive = known?.liveSince !== undefined && known.liveSince === recent.unbrokenSince();
    return isLive && known.view.seq >= atLeast ? known.view : undefined;
  }

  /** Asks the broker. */
  async function look(endpoint: Endpoint, atLeast = 0): Promise<View> {
    let { view, bytes } = views.get(endpoint) ?? (await snapshots.read(endpoint));
    for await (const entry of read(endpoint, view.seq)) {
      view = fold(view, entry);
      bytes += entry.bytes;
    }
    const caughtUp = catchUp({ view, bytes }, view.seq);
    if (caughtUp) view = caughtUp;
    else views.set({ view, bytes });
    // A read may be answered by a replica that lags behind.
    if (view.seq < atLeast) throw new RetryLaterError(200, 'the log is not readable up to this event yet');
    return view;
  }

  /** With what happened after `seq`, where all of that is recent. From then on the view is kept up to date. */
  function catchUp({ view, bytes }: { view: View; bytes: number }, seq: number): View | undefined {
    const entries = recent?.after(view.endpoint, seq);
    if (!entries) return undefined;
    const folded = {
      view: entries.reduce(fold, view),
      bytes: entries.reduce((sum, entry) => sum + entry.bytes, bytes),
      liveSince: recent?.unbrokenSince(),
    };
    views.set(folded);
    return folded.view;
  }

  async function* detectionIds(endpoint: Endpoint, since: Date): AsyncGenerator<string> {
    const startTime = new Date(since.getTime() - DUPLICATE_WINDOW_MS); // clocks differ
    const filter = subjectOf(endpoint, 'detection.raised');
    for await (const { header } of readStream(jsm, EVENTS, { startTime, filter })) yield header.get('Nats-Msg-Id');
  }

  return {
    append: (event) => (event.type === 'detection.raised' ? appendDetection(event) : append(event)),
    load,

    async hasDetection(endpoint, id, since) {
      for await (const known of detectionIds(endpoint, since)) if (known === id) return true;
      return false;
    },

    async detectionsSince(endpoint, since) {
      const ids = new Set<string>();
      for await (const id of detectionIds(endpoint, since)) ids.add(id);
      return ids;
    },

    async transact(endpoint, decide, atLeast) {
      for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
        const view = await (attempt === 0 ? load : look)(endpoint, atLeast);
        const decision = decide(view.state);
        if ('refused' in decision) return decision;
        try {
          const heads = { ...view.heads };
          for (const event of decision.events) {
            const entity = entityOf(event.type);
            const filter = entitySubject(event, entity);
            heads[entity] = (await append(event, { seq: heads[entity] ?? 0, filter })).seq;
          }
          return { events: decision.events, view };
        } catch (error) {
          if (!isConflict(error)) throw error;
          views.forget(endpoint);
          const [event] = decision.events;
          if (event && (await isLast(jsm, event))) return { events: decision.events, view }; // our own unanswered attempt
        }
        await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(200, 5 * 2 ** attempt)));
      }
      throw new RetryLaterError(1000, 'too many writers on one endpoint');
    },

    async keep(view) {
      await snapshots.keep(view);
      views.settle(view.endpoint, view.seq);
    },

    listen: (listener) => recent?.listen((_key, { event }) => event && listener(event)),

    async lastPolicy() {
      const message = await jsm.streams.getMessage(EVENTS, { last_by_subj: subjectOf(POLICY_LOG, 'policy.changed') });
      const event = message ? eventIn(message) : undefined;
      return event?.type === 'policy.changed' ? event : undefined;
    },

    findIncident: (id) => snapshots.findIncident(id),

    async watchIncidents(listener) {
      const watch = await bucket.watch({ key: 'incident.>' });
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

async function isLast(jsm: JetStreamManager, event: CordonEvent): Promise<boolean> {
  const last = await jsm.streams.getMessage(EVENTS, { last_by_subj: entitySubject(event, entityOf(event.type)) });
  return last?.header.get('Nats-Msg-Id') === event.id;
}
