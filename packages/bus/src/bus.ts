import { eventId, type StoredEvent } from '@cordon/contracts';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { z } from 'zod';
import './answered-requests.ts';
import { auditLog, type AuditLog } from './audit-log.ts';
import { consume, type ConsumeParts, type Handler } from './consume.ts';
import { endpointLog, type EndpointLog } from './endpoint-log.ts';
import { eventually } from './eventually.ts';
import type { Consumption } from './follow.ts';
import { publish } from './publish.ts';
import { recentEvents } from './recent.ts';
import type { Quarantined } from './records.ts';
import { type BucketName, type ConsumerSpec, ensureTopology, openBucket } from './topology.ts';
import { writeTogether } from './write-together.ts';

const Deadline = z.object({ tenantId: z.string(), endpointId: z.string(), incidentId: z.string() });
export type Deadline = z.infer<typeof Deadline>;

export type BusOptions = {
  url: string;
  /** The service's name, shown in the broker's monitoring. */
  name: string;
  log: Logger;
  /** Replicas of streams; undefined leaves what exists and creates with one. */
  replicas?: number | undefined;
  onHandled?: ConsumeParts['count'];
};

/** What a timer is for: something to be done about a question or a machine, or a look whether people got the question. */
export type TimerKind = 'approval' | 'delivery';

/** A service's way to the broker: the log, its consumers, timers and buckets. */
export interface Bus extends AsyncDisposable {
  readonly log: EndpointLog;
  readonly audit: AuditLog;
  isConnected(): boolean;
  /** Resolves when the connection has ended for good: with an error, or with nothing after `close`. */
  readonly closed: Promise<unknown>;
  /** From now on what has just happened is known by itself. For those who look into the log for nearly every event. */
  followLog(): Promise<void>;
  consumeEvents(spec: ConsumerSpec, handler: Handler<StoredEvent>): Promise<Consumption>;
  consumeDeadlines(spec: ConsumerSpec, handler: Handler<Deadline>): Promise<Consumption>;
  consumeAside<T>(
    spec: ConsumerSpec,
    schema: z.ZodType<T>,
    handler: Handler<T & { seq: number }>,
  ): Promise<Consumption>;
  /** Keeps a record that was not understood. The same bytes again are a duplicate. */
  quarantine(record: Quarantined): Promise<{ duplicate: boolean }>;
  /** Delivers `deadline` at `at`, whatever is killed meanwhile. Arming the same deadline of a kind again replaces it. */
  arm(kind: TimerKind, deadline: Deadline, at: Date): Promise<void>;
  bucket(name: BucketName): Promise<KV>;
  /** Stops what is consumed first, so that what is in hand is finished while the broker can still be told of it. */
  close(): Promise<void>;
}

/** Connects (waiting for the broker where it is not up yet) and brings streams and consumers to their declared state. */
export async function connectBus({ url, name, log, replicas, onHandled = () => {} }: BusOptions): Promise<Bus> {
  const connection = await connect({
    servers: url.split(','),
    name,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    reconnectTimeWait: 500,
    reconnectJitter: 250,
    pingInterval: 10_000,
    maxPingOut: 2,
    inboxPrefix: `_INBOX_${name}`,
    noAsyncTraces: true,
  });
  writeTogether(connection);
  let connected = true;
  void followStatus(connection, log, (value) => (connected = value));

  const js = jetstream(connection, { timeout: 5000 });
  const jsm = await eventually(log, async () => {
    // Asked again soon: what a node that hangs was asked is lost, and others may answer.
    await ensureTopology(await jetstreamManager(connection, { timeout: 2000 }), replicas);
    return jetstreamManager(connection, { timeout: 5000 });
  });
  const bucket = (which: BucketName) => eventually(log, () => openBucket(js, which, replicas));
  const parts: ConsumeParts = { js, jsm, log, count: onHandled, flush: () => connection.flush() };
  const recent = recentEvents(js, log);
  const consumptions: Consumption[] = [];
  const tracked = async (starting: Promise<Consumption>): Promise<Consumption> => {
    const consumption = await starting;
    consumptions.push(consumption);
    return consumption;
  };
  const close = async (): Promise<void> => {
    await Promise.all(consumptions.map((consumption) => consumption.stop()));
    recent.stop();
    if (!connection.isClosed()) await connection.drain().catch(() => connection.close());
  };

  return {
    log: endpointLog({ js, jsm, snapshots: await bucket('state'), recent }),
    audit: auditLog(js, jsm),
    isConnected: () => connected && !connection.isClosed(),
    closed: connection.closed().then((error) => error ?? undefined),
    followLog: () => eventually(log, () => recent.follow()),
    consumeEvents: (spec, handler) => tracked(consume(parts, spec, (message) => recent.read(message), handler)),
    consumeDeadlines: (spec, handler) =>
      tracked(consume(parts, spec, (message) => Deadline.parse(message.json()), handler)),
    consumeAside: (spec, schema, handler) =>
      tracked(consume(parts, spec, (message) => ({ ...schema.parse(message.json()), seq: message.seq }), handler)),
    bucket,

    async quarantine(record) {
      const ack = await publish(js, 'cordon.quarantine.limacharlie', JSON.stringify(record), {
        id: eventId('quarantined', record.sha256),
      });
      return { duplicate: ack.duplicate };
    },

    async arm(kind, { tenantId, endpointId, incidentId }, at) {
      const tail = `${kind}.${tenantId}.${endpointId}.${incidentId}`;
      await publish(js, `cordon.timers.${tail}`, JSON.stringify({ tenantId, endpointId, incidentId }), {
        id: eventId('timer', kind, incidentId, at.toISOString()),
        schedule: { specification: at, target: `cordon.due.${tail}` },
      });
    },

    close,
    [Symbol.asyncDispose]: close,
  };
}

async function followStatus(connection: NatsConnection, log: Logger, set: (connected: boolean) => void): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') set(false);
    if (status.type === 'reconnect') {
      writeTogether(connection); // it is another socket now
      set(true);
    }
    if (['disconnect', 'reconnect', 'staleConnection', 'error', 'ldm'].includes(status.type)) {
      log.warn({ status: status.type }, 'broker connection');
    }
  }
}
