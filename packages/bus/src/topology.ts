import { filterOf } from '@cordon/contracts';
import {
  JetStreamApiError,
  type ConsumerConfig,
  type JetStreamClient,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import { nanos } from '@nats-io/transport-node';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long the broker remembers message ids. Beyond it, repetitions are found by looking into the log. */
export const DUPLICATE_WINDOW_MS = 10 * MINUTE;

export const EVENTS = 'CORDON_EVENTS';
export const QUARANTINE = 'CORDON_QUARANTINE';
export const DEAD_LETTERS = 'CORDON_DEAD_LETTERS';
export const TIMERS = 'CORDON_TIMERS';
export const REDRIVE = 'CORDON_REDRIVE';
export const AUDIT = 'CORDON_AUDIT';

export type StreamSpec = Partial<StreamConfig> & { name: string; subjects: string[] };
const stream = (name: string, subject: string, maxAgeMs: number, more: Partial<StreamConfig> = {}): StreamSpec => ({
  name,
  subjects: [subject],
  retention: 'limits',
  storage: 'file',
  discard: 'old',
  max_age: nanos(maxAgeMs),
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
  allow_direct: true,
  ...more,
});

/** Every stream. They keep by limits: a work queue forgets ids and hides what it gave up on. */
export const STREAMS: StreamSpec[] = [
  stream(EVENTS, 'cordon.events.>', 400 * DAY),
  stream(QUARANTINE, 'cordon.quarantine.>', 90 * DAY),
  stream(DEAD_LETTERS, 'cordon.dead.>', 90 * DAY),
  {
    ...stream(TIMERS, 'cordon.timers.>', 30 * DAY, { allow_msg_schedules: true, allow_msg_ttl: true }),
    subjects: ['cordon.timers.>', 'cordon.due.>'],
  },
  stream(REDRIVE, 'cordon.redrive.>', 30 * DAY),
  stream(AUDIT, 'cordon.audit.>', 3653 * DAY), // ten years
];

export const ACK_WAIT_MS = 30 * SECOND;
/** What is done at a given time may be 5 s late, also where a crash or an outage comes between. */
const ON_TIME_MS = 3 * SECOND;

/** A durable pull consumer: who reads what, and how many at once. */
export type ConsumerSpec = {
  name: string;
  stream: string;
  /** The subjects that concern it. */
  filters: string[];
  concurrency: number;
  maxAckPending: number;
  /** How long after a crash what was in hand comes again. */
  ackWaitMs?: number;
};

const ofEvents = (
  name: string,
  types: Parameters<typeof filterOf>[0][],
  concurrency: number,
  maxAckPending = 1000,
  ackWaitMs = ACK_WAIT_MS,
) => ({
  name,
  stream: EVENTS,
  filters: types.map(filterOf),
  concurrency,
  maxAckPending,
  ackWaitMs,
});

/** What a person should hear of: everything but the record of having told them. */
const NEWS = [
  'detection.raised',
  'approval.requested',
  'approval.voted',
  'approval.reminded',
  'approval.escalated',
  'approval.decided',
  'notification.overdue',
  'isolation.requested',
  'isolation.pending',
  'isolation.confirmed',
  'isolation.unconfirmed',
  'isolation.failed',
  'isolation.refused',
  'isolation.held',
  'isolation.drifted',
  'isolation.simulated',
  'release.requested',
  'release.pending',
  'release.confirmed',
  'release.unconfirmed',
  'release.failed',
  'release.simulated',
] as const;

/** A detection by itself is never mailed, and there may be thousands of them: the question about it is. */
const MAILED = NEWS.filter((type) => type !== 'detection.raised');

/** Every consumer. Waiting messages (offline endpoints, an unreachable Slack) occupy `maxAckPending`. */
export const CONSUMERS = {
  /** approval: opens or joins the incident, asks once; asks again about what a guard holds. */
  ask: ofEvents('approval-ask', ['detection.raised', 'isolation.held'], 16),
  /** approval: arms what is next to be done by itself, and reports a question or a vote that it did not sign. */
  arm: ofEvents(
    'approval-arm',
    ['approval.requested', 'approval.voted', 'approval.reminded', 'approval.escalated', 'isolation.confirmed'],
    16,
    1000,
    ON_TIME_MS,
  ),
  /** approval: reminds, escalates, ends a question, releases when it is time. */
  expire: {
    name: 'approval-expire',
    stream: TIMERS,
    filters: ['cordon.due.approval.>'],
    concurrency: 16,
    maxAckPending: 1000,
    ackWaitMs: ON_TIME_MS,
  },
  /** approval: keeps snapshots, so that no fold costs more as the history grows. Many at once: each waits a moment. */
  snapshot: ofEvents('approval-snapshot', ['>'], 500),
  /**
   * approval: puts everything that concerns a decision into the audit log. One is under way at a time, so in the order of
   * the log; the rest is asked for ahead.
   */
  audit: ofEvents(
    'approval-audit',
    ['detection.raised', 'approval.>', 'isolation.>', 'release.>', 'policy.changed'],
    64,
    1,
  ),
  /** executor: tells the EDR what people decided. */
  execute: ofEvents('executor-execute', ['approval.decided', 'release.requested'], 16),
  /** executor: follows the sensor until it confirms. Every message in it waits for one endpoint. */
  watch: ofEvents('executor-watch', ['isolation.requested', 'release.accepted', 'isolation.confirmed'], 16, 20_000),
  /** notifier: looks whether a question reached people. */
  overdue: {
    name: 'notifier-overdue',
    stream: TIMERS,
    filters: ['cordon.due.delivery.>'],
    concurrency: 16,
    maxAckPending: 1000,
  },
  /** Updates wait for their turn here, few a minute, and new messages must not wait behind them; so do deferred mails. */
  slack: ofEvents('notifier-slack', [...NEWS], 16, 20_000),
  // A mail that was sent as the broker went away is written down soon after its return: until then it may come twice.
  email: ofEvents('notifier-email', MAILED, 4, 20_000, ON_TIME_MS),
  /** notifier: tells operators what was put aside. */
  quarantined: {
    name: 'notifier-quarantine',
    stream: QUARANTINE,
    filters: ['cordon.quarantine.>'],
    concurrency: 1,
    maxAckPending: 100,
  },
  dead: {
    name: 'notifier-dead-letters',
    stream: DEAD_LETTERS,
    filters: ['cordon.dead.>'],
    concurrency: 1,
    maxAckPending: 100,
  },
} satisfies Record<string, ConsumerSpec>;

/** Where a consumer is handed messages once more. */
export function redriveSubject(consumer: string): string {
  return `cordon.redrive.${consumer}`;
}

/** The consumer of what an operator redrives to a consumer: read by the same process. */
export function redriveOf({ name, concurrency, maxAckPending }: ConsumerSpec): ConsumerSpec {
  return {
    name,
    stream: REDRIVE,
    filters: [redriveSubject(name)],
    concurrency: Math.min(4, concurrency),
    maxAckPending,
  };
}

/** Tells whether a subject concerns a consumer. */
export function concernOf({ filters }: ConsumerSpec): (subject: string) => boolean {
  const patterns = filters.map((filter) => filter.replaceAll('.', '\\.').replaceAll('*', '[^.]+').replace(/>$/, '.+'));
  const any = new RegExp(`^(?:${patterns.join('|')})$`);
  return (subject) => any.test(subject);
}

/** Every consumer that has to exist. */
export function allConsumers(): ConsumerSpec[] {
  const consumers: ConsumerSpec[] = Object.values(CONSUMERS);
  return [...consumers, ...consumers.map(redriveOf)];
}

/** Key-value buckets, with how long an untouched key lives (0: for ever). */
export const BUCKETS = {
  /** Snapshots: `endpoint.<tenant>.<endpoint>` and `incident.<id>`. Rebuilt from the log when lost. */
  state: { name: 'CORDON_STATE', ttlMs: 0 },
  /** notifier: what it was about to send, so that a crash in between is noticed. */
  intents: { name: 'CORDON_INTENTS', ttlMs: 30 * DAY },
  /** How far somebody has got: ingest with what LimaCharlie may not have delivered, approval's seal of the audit log. */
  bookmarks: { name: 'CORDON_BOOKMARKS', ttlMs: 0 },
  /** executor: which decisions are used up, and how many machines were cut off lately. */
  guards: { name: 'CORDON_GUARDS', ttlMs: 0 },
  /** approval: the public halves of people's passkeys. */
  passkeys: { name: 'CORDON_PASSKEYS', ttlMs: 0 },
  /** approval: who is signed in. */
  sessions: { name: 'CORDON_SESSIONS', ttlMs: 12 * HOUR },
} satisfies Record<string, { name: string; ttlMs: number }>;
export type BucketName = keyof typeof BUCKETS;

const STREAM_EXISTS = 10058;
const CONSUMER_EXISTS = 10148;

/**
 * Creates or updates all streams and consumers; safe to run from every service at once.
 * `replicas` undefined leaves the number of replicas of what exists as it is.
 */
export async function ensureTopology(jsm: JetStreamManager, replicas: number | undefined): Promise<void> {
  const wanted = STREAMS.map((spec) => (replicas === undefined ? spec : { ...spec, num_replicas: replicas }));
  await Promise.all(wanted.map((spec) => ensureStream(jsm, spec)));
  await Promise.all(allConsumers().map((spec) => ensureConsumer(jsm, spec)));
}

async function ensureStream(jsm: JetStreamManager, spec: StreamSpec): Promise<void> {
  try {
    await jsm.streams.add(spec);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_EXISTS) throw error;
    await jsm.streams.update(spec.name, spec); // merges over what exists, so replicas stay where none are named
  }
}

/** Creates or updates a consumer. */
export async function ensureConsumer(jsm: JetStreamManager, spec: ConsumerSpec): Promise<void> {
  const config = consumerConfig(spec);
  try {
    await jsm.consumers.add(spec.stream, config);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error;
    await jsm.consumers.update(spec.stream, spec.name, config);
  }
}

/**
 * How the broker is told of a consumer. Each of the log is given all of it, and acknowledges unread what does not concern it:
 * wherever a block of the log ends (8 MB), the broker looks through the subjects of all machines for every consumer that it
 * filters for, and stores nothing meanwhile. Of 10,000 machines that took 17 ms for each.
 */
export function consumerConfig(spec: ConsumerSpec): Partial<ConsumerConfig> & { durable_name: string } {
  return {
    durable_name: spec.name,
    ack_policy: 'explicit',
    ack_wait: nanos(spec.ackWaitMs ?? ACK_WAIT_MS),
    max_deliver: -1, // the worker itself moves what it gives up on; past a limit here a message would just stop coming
    max_ack_pending: spec.maxAckPending,
    filter_subjects: spec.stream === EVENTS ? [] : spec.filters,
  };
}

/** Opens a bucket, creating it where it is missing. Reads go to the leader and are consistent. */
export async function openBucket(js: JetStreamClient, name: BucketName, replicas: number | undefined): Promise<KV> {
  const { name: bucket, ttlMs } = BUCKETS[name];
  const kvm = new Kvm(js);
  await kvm.create(bucket, { history: 1, ttl: ttlMs, ...(replicas === undefined ? {} : { replicas }) });
  return kvm.open(bucket);
}
