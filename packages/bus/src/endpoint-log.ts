import {
  type CordonEvent,
  encodeEvent,
  type Endpoint,
  POLICY_LOG,
  type PolicyChanged,
  subjectOf,
} from '@cordon/contracts';
import type { Decision, EndpointState, Incident, Refusal } from '@cordon/incident';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { isConflict, RetryLaterError } from './errors.ts';
import { eventIn, type Entity, entityOf, entitySubject, fold, type View } from './fold.ts';
import { publish } from './publish.ts';
import { readStream } from './read-stream.ts';
import { createSnapshots } from './snapshots.ts';
import { DUPLICATE_WINDOW_MS, EVENTS } from './topology.ts';
import { createViews } from './views.ts';

const CONFLICTS_MAX = 50;

export type Appended = { seq: number; duplicate: boolean };

/** The log of every endpoint: append to it, fold it, decide on it. */
export interface EndpointLog {
  /** Appends; the same id again is a duplicate and is not stored. Errors: `BrokerUnavailableError`, `TooLargeError`. */
  append(event: CordonEvent): Promise<Appended>;
  /** Whether a detection is in the log already, however long ago, from `since` on. */
  hasDetection(endpoint: Endpoint, id: string, since: Date): Promise<boolean>;
  /** The ids of all detections in the log from `since` on: one search where many would be looked for. */
  detectionsSince(endpoint: Endpoint, since: Date): Promise<ReadonlySet<string>>;
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

type Parts = { js: JetStreamClient; jsm: JetStreamManager; snapshots: KV };

export function endpointLog({ js, jsm, snapshots: bucket }: Parts): EndpointLog {
  const snapshots = createSnapshots(bucket);
  const views = createViews();

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
    let { view, bytes } = views.get(endpoint) ?? (await snapshots.read(endpoint));
    const rest = { seq: view.seq + 1, filter: subjectOf(endpoint, '>') };
    for await (const message of readStream(jsm, EVENTS, rest)) {
      view = fold(view, message);
      bytes += message.data.length;
    }
    views.set({ view, bytes });
    // A read may be answered by a replica that lags behind.
    if (view.seq < atLeast) throw new RetryLaterError(200, 'the log is not readable up to this event yet');
    return view;
  }

  async function* detectionIds(endpoint: Endpoint, since: Date): AsyncGenerator<string> {
    const startTime = new Date(since.getTime() - DUPLICATE_WINDOW_MS); // clocks differ
    const filter = subjectOf(endpoint, 'detection.raised');
    for await (const { header } of readStream(jsm, EVENTS, { startTime, filter })) yield header.get('Nats-Msg-Id');
  }

  return {
    append: (event) => append(event),
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
        const view = await load(endpoint, atLeast);
        const decision = decide(view.state);
        if ('refused' in decision) return decision;
        try {
          const heads = { ...view.heads };
          for (const event of decision.events) {
            const entity = entityOf(event.type);
            heads[entity] = (await append(event, { entity, seq: heads[entity] ?? 0 })).seq;
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
