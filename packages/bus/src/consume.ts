import { type Consumer, type ConsumerMessages, type JetStreamClient, type JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { isBrokerFault, PermanentError, RetryLaterError } from './errors.ts';
import { publish } from './publish.ts';
import { ACK_WAIT_MS, type ConsumerSpec } from './topology.ts';

/** Unexpected failures of one message before it is given up on. Broker faults and `RetryLaterError` do not count. */
const ATTEMPTS_MAX = 12;
const BACKOFF_MS = [250, 1000, 2000, 5000, 15_000, 30_000, 60_000];
const PULL_EXPIRES_MS = 5000; // decides how fast delivery resumes after a leader change

/** Handles one message. Returning acknowledges it; a throw is retried, waited for or dead-lettered by its class. */
export type Handler<T> = (value: T, context: { log: Logger; redelivered: boolean }) => Promise<void>;
export type Consumption = {
  /** Resolves when it ends: with the error if it broke, with nothing after `stop`. */
  done: Promise<unknown>;
  /** Takes nothing new and waits for the messages in hand (at most `graceMs`). */
  stop(graceMs?: number): Promise<void>;
};
export type ConsumeParts = {
  js: JetStreamClient;
  log: Logger;
  count(consumer: string, outcome: 'handled' | 'retried' | 'dead'): void;
};

export async function consume<T>(
  { js, log, count }: ConsumeParts,
  spec: ConsumerSpec,
  decode: (message: JsMsg) => T,
  handler: Handler<T>,
): Promise<Consumption> {
  const consumer: Consumer = await js.consumers.get(spec.stream, spec.name);
  const messages: ConsumerMessages = await consumer.consume({
    max_messages: spec.concurrency,
    expires: PULL_EXPIRES_MS,
    abort_on_missing_resource: true, // a deleted consumer must end the process, not leave it handling nothing
  });
  const inHand = new Set<Promise<void>>();
  let stopping = false;

  async function attempt(message: JsMsg): Promise<void> {
    const { deliveryCount, redelivered } = message.info;
    const bound = log.child({ consumer: spec.name, seq: message.seq, attempt: deliveryCount });
    try {
      const value = decodeOrGiveUp(message, decode);
      await handler(value, { log: bound, redelivered });
    } catch (error) {
      if (isBrokerFault(error)) {
        bound.warn({ err: error }, 'broker not available, will be retried');
        count(spec.name, 'retried');
        return message.nak(1000);
      }
      if (error instanceof RetryLaterError) {
        bound.debug({ reason: error.message, delayMs: error.delayMs }, 'waiting');
        count(spec.name, 'retried');
        return message.nak(error.delayMs);
      }
      if (error instanceof PermanentError || deliveryCount >= ATTEMPTS_MAX) return giveUp(message, error, bound);
      bound.warn({ err: error }, 'failed, will be retried');
      count(spec.name, 'retried');
      return message.nak(BACKOFF_MS[Math.min(deliveryCount, BACKOFF_MS.length) - 1]);
    }
    count(spec.name, 'handled');
    await message.ackAck(); // a lost acknowledgement means a redelivery, and every handler may run twice
  }

  /** Copy first, then acknowledge: both can be repeated. */
  async function giveUp(message: JsMsg, error: unknown, bound: Logger): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const letter = {
      stream: spec.stream,
      consumer: spec.name,
      subject: message.subject,
      seq: message.seq,
      attempts: message.info.deliveryCount,
      reason: reason.slice(0, 2000),
      stack: error instanceof Error ? error.stack?.slice(0, 8000) : undefined,
      headers: Object.fromEntries([...(message.headers ?? [])].map(([name, values]) => [name, values.join(', ')])),
      payload: Buffer.from(message.data).toString('base64'),
    };
    await publish(js, `cordon.dead.${spec.stream}.${spec.name}`, JSON.stringify(letter), {
      id: `dead:${spec.stream}:${spec.name}:${message.seq}`,
    });
    bound.error({ err: error, subject: message.subject }, 'given up on, kept as a dead letter');
    count(spec.name, 'dead');
    await message.ackAck();
  }

  async function one(message: JsMsg): Promise<void> {
    const heartbeat = setInterval(() => message.working(), ACK_WAIT_MS / 3);
    try {
      await attempt(message);
    } catch (error) {
      log.warn({ err: error, consumer: spec.name, seq: message.seq }, 'not acknowledged, comes back by itself');
    } finally {
      clearInterval(heartbeat);
    }
  }

  const done = (async () => {
    try {
      for await (const message of messages) {
        if (stopping) {
          message.nak();
          continue;
        }
        const running: Promise<void> = one(message).finally(() => inHand.delete(running));
        inHand.add(running);
        while (inHand.size >= spec.concurrency) await Promise.race(inHand);
      }
      return stopping ? undefined : new Error(`consumer ${spec.name} ended`);
    } catch (error) {
      return error;
    }
  })();

  return {
    done,
    async stop(graceMs = 10_000) {
      stopping = true;
      const timeout = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
      await Promise.race([messages.close(), timeout]);
      await Promise.race([Promise.all(inHand), timeout]);
    },
  };
}

/** What does not parse now will not parse later. */
function decodeOrGiveUp<T>(message: JsMsg, decode: (message: JsMsg) => T): T {
  try {
    return decode(message);
  } catch (error) {
    throw new PermanentError(`not a message this service understands: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
}
