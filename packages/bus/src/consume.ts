import type { JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { isBrokerFault, PermanentError, RetryLaterError } from './errors.ts';
import { eventually } from './eventually.ts';
import { type Consumption, follow } from './follow.ts';
import { publish } from './publish.ts';
import { originalOf } from './redrive.ts';
import { concernOf, type ConsumerSpec, ensureConsumer, redriveOf } from './topology.ts';

/** Unexpected failures of one message before it is given up on. Broker faults and `RetryLaterError` do not count. */
const ATTEMPTS_MAX = 12;
const BACKOFF_MS = [250, 1000, 2000, 5000, 15_000, 30_000, 60_000];

/** Where what is said about one message goes. */
export type MessageLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
/** Handles one message. Returning acknowledges it; a throw is retried, waited for or dead-lettered by its class. */
export type Handler<T> = (value: T, context: { log: MessageLog; redelivered: boolean }) => Promise<void>;
export type ConsumeParts = {
  js: JetStreamClient;
  jsm: JetStreamManager;
  log: Logger;
  /** Resolves once the broker has read all that it was sent. */
  flush: () => Promise<void>;
  count: (consumer: string, outcome: 'handled' | 'retried' | 'dead') => void;
};

/** A message of a stream, by whichever way it was read. */
export type Received = {
  subject: string;
  seq: number;
  header: MsgHdrs;
  data: Uint8Array;
  string(): string;
  json(): unknown;
};
/** What a delivery is about, and what a dead letter about it is called, so that it is written once. */
type Matter = { stream: string; message: Received; letterId: string };

/**
 * Handles the messages of a consumer, and those that an operator redrives to it: the same handler, with the same failure
 * mapping. A redriven message that fails again becomes a dead letter of its own.
 */
export async function consume<T>(
  parts: ConsumeParts,
  spec: ConsumerSpec,
  decode: (message: Received) => T,
  handler: Handler<T>,
): Promise<Consumption> {
  const { js, jsm, log, count } = parts;
  /** Unexpected failures by letter. The broker counts deliveries, and most of those of a long wait are no failures. */
  const failures = new Map<string, number>();

  async function attempt(delivery: JsMsg, find: () => Promise<Matter>): Promise<void> {
    const { deliveryCount } = delivery.info;
    let matter = directly(delivery, spec);
    const isRedrive = delivery.info.stream !== spec.stream;
    const bound = atFirstWord(() =>
      log.child(
        isRedrive
          ? { consumer: spec.name, seq: matter.message.seq, redrive: delivery.seq }
          : { consumer: spec.name, seq: delivery.seq, attempt: deliveryCount },
      ),
    );
    try {
      matter = await find();
      const value = decodeOrGiveUp(matter.message, decode);
      await handler(value, { log: bound, redelivered: isRedrive || delivery.info.redelivered });
    } catch (error) {
      if (isBrokerFault(error)) {
        bound.warn({ err: error }, 'broker not available, will be retried');
        count(spec.name, 'retried');
        return delivery.nak(1000);
      }
      if (error instanceof RetryLaterError) {
        bound.debug({ reason: error.message, delayMs: error.delayMs }, 'waiting');
        count(spec.name, 'retried');
        return delivery.nak(error.delayMs);
      }
      const failed = (failures.get(matter.letterId) ?? 0) + 1;
      if (error instanceof PermanentError || failed >= ATTEMPTS_MAX) {
        await giveUp(delivery, matter, error, bound);
        failures.delete(matter.letterId);
        return;
      }
      failures.set(matter.letterId, failed);
      bound.warn({ err: error }, 'failed, will be retried');
      count(spec.name, 'retried');
      return delivery.nak(BACKOFF_MS[Math.min(failed, BACKOFF_MS.length) - 1]);
    }
    failures.delete(matter.letterId);
    count(spec.name, 'handled');
    delivery.ack(); // not waited for: a lost one means a redelivery, and every handler may run twice
  }

  /** Copy first, then acknowledge: both can be repeated. */
  async function giveUp(delivery: JsMsg, matter: Matter, error: unknown, bound: MessageLog): Promise<void> {
    const { stream, message, letterId } = matter;
    const reason = error instanceof Error ? error.message : String(error);
    const letter = {
      stream,
      consumer: spec.name,
      subject: message.subject,
      seq: message.seq,
      attempts: delivery.info.deliveryCount,
      reason: reason.slice(0, 2000),
      stack: error instanceof Error ? error.stack?.slice(0, 8000) : undefined,
      headers: Object.fromEntries([...message.header].map(([name, values]) => [name, values.join(', ')])),
      payload: Buffer.from(message.data).toString('base64'),
    };
    await publish(js, `cordon.dead.${spec.stream}.${spec.name}`, JSON.stringify(letter), { id: letterId });
    bound.error({ err: error, subject: message.subject }, 'given up on, kept as a dead letter');
    count(spec.name, 'dead');
    await delivery.ackAck();
  }

  const redrive = redriveOf(spec);
  const isConcerned = concernOf(spec);
  await eventually(log, () => ensureConsumer(jsm, redrive));
  const both = [
    await follow(parts, spec, async (delivery) => {
      if (isConcerned(delivery.subject)) await attempt(delivery, async () => directly(delivery, spec));
      else delivery.ack();
    }),
    await follow(parts, redrive, (delivery) =>
      attempt(delivery, async () => ({
        ...(await originalOf(jsm, delivery)),
        letterId: `dead:${redrive.stream}:${spec.name}:${delivery.seq}`,
      })),
    ),
  ];
  return {
    done: Promise.race(both.map(({ done }) => done)),
    stop: async (graceMs) => void (await Promise.all(both.map((part) => part.stop(graceMs)))),
  };
}

/** Made when something is said, which is seldom: for every message it would take as long as reading it. */
function atFirstWord(make: () => Logger): MessageLog {
  let made: Logger | undefined;
  const log = (): Logger => (made ??= make());
  return {
    get debug() {
      return log().debug.bind(log());
    },
    get info() {
      return log().info.bind(log());
    },
    get warn() {
      return log().warn.bind(log());
    },
    get error() {
      return log().error.bind(log());
    },
  };
}

function directly(delivery: JsMsg, spec: ConsumerSpec): Matter {
  const { stream } = delivery.info;
  return { stream, message: received(delivery), letterId: `dead:${stream}:${spec.name}:${delivery.seq}` };
}

/** What was delivered, as a message of its stream. */
export function received(delivery: JsMsg): Received {
  const { seq, subject, data } = delivery;
  return {
    seq,
    subject,
    data,
    get header() {
      return delivery.headers ?? headers(); // read when asked for: most messages were read by another consumer already
    },
    string: () => delivery.string(),
    json: () => delivery.json(),
  };
}

/** What does not parse now will not parse later. */
function decodeOrGiveUp<T>(message: Received, decode: (message: Received) => T): T {
  try {
    return decode(message);
  } catch (error) {
    throw new PermanentError(`not a message this service understands: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
}
