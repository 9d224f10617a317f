import type { JsMsg } from '@nats-io/jetstream';
import type { ConsumeParts } from './consume.ts';
import { eventually } from './eventually.ts';
import { ACK_WAIT_MS, type ConsumerSpec } from './topology.ts';

/** After a leader change it is asked anew once nothing was heard for this long; what is due may be 5 s late, not more. */
export const PULL_EXPIRES_MS = 3000;

export type Consumption = {
  /** Resolves when it ends: with the error if it broke, with nothing after `stop`. */
  done: Promise<unknown>;
  /** Takes nothing new and waits for the messages in hand (at most `graceMs`). Asked again, it is the same stop. */
  stop(graceMs?: number): Promise<void>;
};

/** Pulls from a consumer and hands each message to `attempt`, which acknowledges it, at most `concurrency` at once. */
export async function follow(
  { js, log, flush }: Pick<ConsumeParts, 'js' | 'log' | 'flush'>,
  { stream, name, concurrency, ackWaitMs = ACK_WAIT_MS }: ConsumerSpec,
  attempt: (message: JsMsg) => Promise<void>,
): Promise<Consumption> {
  const consumer = await eventually(log, () => js.consumers.get(stream, name));
  const messages = await consumer.consume({
    max_messages: concurrency,
    expires: PULL_EXPIRES_MS,
    abort_on_missing_resource: true, // a deleted consumer must end the process, not leave it handling nothing
  });
  const inHand = new Map<JsMsg, Promise<void>>();
  /** What takes long is not to come again meanwhile. */
  const heartbeat = setInterval(() => {
    for (const message of inHand.keys()) message.working();
  }, ackWaitMs / 3);
  let freed = Promise.withResolvers<void>();
  let stopping = false;

  async function one(message: JsMsg): Promise<void> {
    try {
      await attempt(message);
    } catch (error) {
      log.warn({ err: error, consumer: name, seq: message.seq }, 'not acknowledged, comes back by itself');
    }
    inHand.delete(message);
    freed.resolve();
  }

  const done = (async () => {
    try {
      for await (const message of messages) {
        if (stopping) {
          message.nak();
          continue;
        }
        inHand.set(message, one(message));
        while (inHand.size >= concurrency) {
          freed = Promise.withResolvers();
          await freed.promise;
        }
      }
      return stopping ? undefined : new Error(`consumer ${name} of ${stream} ended`);
    } catch (error) {
      return error;
    }
  })();

  async function stop(graceMs = 10_000): Promise<void> {
    stopping = true;
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
    // Until the broker knows, it goes on to deliver, and what nobody takes comes again only after a while.
    const closed = messages.close().then(flush);
    await Promise.race([
      closed.catch((err: unknown) => log.debug({ err }, 'the broker does not hear of the end')),
      timeout,
    ]);
    await Promise.race([Promise.all(inHand.values()), timeout]);
    clearInterval(heartbeat);
  }
  let stopped: Promise<void> | undefined;
  return { done, stop: (graceMs) => (stopped ??= stop(graceMs)) };
}
