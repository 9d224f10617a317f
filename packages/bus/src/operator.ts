import type { Endpoint } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import { jetstream, jetstreamManager, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { z } from 'zod';
import { auditSubject } from './audit-log.ts';
import type { Received } from './consume.ts';
import { compareTopology, type TopologyItem, unlessMissing } from './drift.ts';
import { endpointLog, type EndpointLog } from './endpoint-log.ts';
import { type Range, readStream } from './read-stream.ts';
import { endpointsIn, rebuild, type Rebuilt } from './rebuild.ts';
import { DeadLetter, Quarantined } from './records.ts';
import { type MessageRef, redrive } from './redrive.ts';
import {
  AUDIT,
  BUCKETS,
  type BucketName,
  DEAD_LETTERS,
  ensureTopology,
  EVENTS,
  openBucket,
  QUARANTINE,
  REDRIVE,
} from './topology.ts';

/** A record with its place in its stream, and when it was put there. */
export type Kept<T> = { seq: number; at: Date; value: T };
/** A message that was not what it should be: it is still listed, so that it can be looked at and discarded. */
export type Unreadable = { unreadable: string };

/** An operator's way to the broker: looks at everything, changes nothing by itself, and does not wait for a broker. */
export interface Operator extends AsyncDisposable {
  readonly server: { name: string; version: string };
  /** The log, as the services see it. Its bucket must exist. */
  log(): Promise<EndpointLog>;
  /** Reads what somebody keeps in a bucket, without creating it. */
  bucketValue(name: BucketName, key: string): Promise<{ text: string; revision: number } | undefined>;
  /** What a stream holds now. */
  read(range: Range): AsyncGenerator<StoredMsg>;
  /** What the log holds from there on, and then what is appended, until the signal. */
  tail(range: { filters: string[]; from?: number | Date }, signal: AbortSignal): AsyncGenerator<Received>;
  /** The lines of the audit log, all or those about one endpoint. */
  auditLines(endpoint?: Endpoint): AsyncGenerator<string>;
  /** Every incident, as it stood when last kept. */
  incidents(): AsyncGenerator<Incident>;
  deadLetters(fromSeq?: number): AsyncGenerator<Kept<DeadLetter | Unreadable>>;
  quarantined(): AsyncGenerator<Kept<Quarantined | Unreadable>>;
  hasMessage(ref: MessageRef): Promise<boolean>;
  removeDeadLetter(seq: number): Promise<void>;
  removeQuarantined(seq: number): Promise<void>;
  /** See {@link redrive}. */
  redrive(consumer: string, ref: MessageRef, id: string): Promise<{ seq: number; duplicate: boolean }>;
  /** How many redriven messages a consumer has not finished; nothing where there is no such consumer. */
  redriving(consumer: string): Promise<number | undefined>;
  topology(replicas: number | undefined): Promise<TopologyItem[]>;
  applyTopology(replicas: number | undefined): Promise<void>;
  endpoints(): Promise<Endpoint[]>;
  rebuild(endpoint: Endpoint, write: boolean): AsyncGenerator<Rebuilt>;
  /** The broker's clock. */
  now(): Promise<Date>;
}

/** Connects at once or not at all: errors of the connection are the client's own. */
export async function connectOperator({
  url,
  name,
  timeoutMs = 3000,
}: {
  url: string;
  name: string;
  timeoutMs?: number;
}): Promise<Operator> {
  const connection = await connect({
    servers: url.split(','),
    name,
    timeout: timeoutMs,
    maxReconnectAttempts: 10,
    reconnectTimeWait: 500,
    inboxPrefix: `_INBOX_${name}`,
    noAsyncTraces: true,
  });
  const jsm = await jetstreamManager(connection, { timeout: 5000 }).catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  const js = jetstream(connection, { timeout: 5000 });
  const snapshots = () => new Kvm(js).open(BUCKETS.state.name);

  return {
    server: { name: connection.info?.server_name ?? '', version: connection.info?.version ?? '' },
    log: async () => endpointLog({ js, jsm, snapshots: await snapshots() }),
    async bucketValue(which, key) {
      const entry = await unlessMissing(async () => (await new Kvm(js).open(BUCKETS[which].name)).get(key));
      return entry?.operation === 'PUT' ? { text: entry.string(), revision: entry.revision } : undefined;
    },
    read: (range) => readStream(jsm, EVENTS, range),

    async *tail({ filters, from }, signal) {
      const consumer = await js.consumers.get(EVENTS, { filter_subjects: filters, ...startOf(from) });
      const messages = await consumer.consume({ expires: 5000 });
      const stop = (): void => messages.stop();
      signal.addEventListener('abort', stop);
      try {
        for await (const message of messages) {
          if (signal.aborted) return;
          const { seq, subject, data, headers } = message;
          if (!headers) continue; // no event
          yield { seq, subject, data, header: headers, string: () => message.string(), json: () => message.json() };
        }
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },

    async *auditLines(endpoint) {
      const filter = endpoint ? auditSubject(endpoint) : 'cordon.audit.>';
      for await (const message of readStream(jsm, AUDIT, { seq: 1, filter })) yield message.string();
    },

    async *incidents() {
      const bucket = BUCKETS.state.name;
      for await (const message of readStream(jsm, `KV_${bucket}`, { seq: 1, filter: `$KV.${bucket}.incident.>` })) {
        if (message.header.get('KV-Operation') === '') yield message.json<{ incident: Incident }>().incident;
      }
    },
    deadLetters: (fromSeq) => records(jsm, DEAD_LETTERS, 'cordon.dead.>', DeadLetter, fromSeq),
    quarantined: () => records(jsm, QUARANTINE, 'cordon.quarantine.>', Quarantined),
    hasMessage: async ({ stream, seq }) => (await jsm.streams.getMessage(stream, { seq })) !== null,
    removeDeadLetter: async (seq) => void (await jsm.streams.deleteMessage(DEAD_LETTERS, seq, false)),
    removeQuarantined: async (seq) => void (await jsm.streams.deleteMessage(QUARANTINE, seq, false)),
    redrive: (consumer, ref, id) => redrive(js, consumer, ref, id),
    async redriving(consumer) {
      const info = await unlessMissing(() => jsm.consumers.info(REDRIVE, consumer));
      return info && info.num_pending + info.num_ack_pending;
    },

    topology: (replicas) => compareTopology(jsm, replicas),
    async applyTopology(replicas) {
      await ensureTopology(jsm, replicas);
      for (const bucket of bucketNames()) await openBucket(js, bucket, replicas);
    },
    endpoints: () => endpointsIn(jsm),
    async *rebuild(endpoint, write) {
      yield* rebuild({ jsm, snapshots: await snapshots() }, endpoint, write);
    },
    async now() {
      const reply = await connection.request(`$JS.API.STREAM.INFO.${EVENTS}`, '', { timeout: 3000 });
      return new Date(z.object({ ts: z.iso.datetime() }).parse(reply.json()).ts);
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

function startOf(from: number | Date | undefined) {
  if (typeof from === 'number') return { deliver_policy: 'by_start_sequence' as const, opt_start_seq: from };
  if (from) return { deliver_policy: 'by_start_time' as const, opt_start_time: from.toISOString() };
  return { deliver_policy: 'new' as const };
}

async function* records<T>(
  jsm: JetStreamManager,
  stream: string,
  filter: string,
  schema: z.ZodType<T>,
  fromSeq = 1,
): AsyncGenerator<Kept<T | Unreadable>> {
  for await (const message of readStream(jsm, stream, { seq: fromSeq, filter })) {
    yield { seq: message.seq, at: message.time, value: recordIn(message, schema) };
  }
}

function recordIn<T>(message: StoredMsg, schema: z.ZodType<T>): T | Unreadable {
  try {
    return schema.parse(message.json());
  } catch {
    return { unreadable: message.string() };
  }
}

function bucketNames(): BucketName[] {
  return ['state', 'intents', 'bookmarks', 'guards', 'passkeys', 'sessions'];
}
