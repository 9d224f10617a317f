import type { JetStreamClient, JetStreamPublishOptions, PubAck } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { BrokerUnavailableError, isWorthRepeating, TooLargeError } from './errors.ts';

export type PublishOptions = Partial<Pick<JetStreamPublishOptions, 'expect' | 'schedule'>> & {
  /** The broker drops a second message with this id. */
  id: string;
  headers?: Record<string, string>;
  /** How long to keep trying. */
  deadlineMs?: number;
};

/**
 * Publishes and waits for the broker's acknowledgement, trying again with the same id until the deadline (default 5 s).
 * Errors: `BrokerUnavailableError`, `TooLargeError`, or the broker's own refusal.
 */
export async function publish(
  js: JetStreamClient,
  subject: string,
  payload: string,
  options: PublishOptions,
): Promise<PubAck> {
  const { id, headers: values = {}, deadlineMs = 5000, ...rest } = options;
  const deadline = Date.now() + deadlineMs;
  for (let attempt = 0; ; attempt++) {
    try {
      // The client writes its own headers into the object it is given: each attempt gets a fresh one.
      return await js.publish(subject, payload, { ...rest, msgID: id, headers: messageHeaders(values), timeout: 2000 });
    } catch (error) {
      if (error instanceof Error && error.name === 'InvalidArgumentError') {
        throw new TooLargeError('the broker does not accept messages of this size: raise its max_payload', {
          cause: error,
        });
      }
      if (!isWorthRepeating(error)) throw error;
      const pauseMs = Math.min(1000, 50 * 2 ** attempt) * (0.5 + Math.random() / 2);
      if (Date.now() + pauseMs > deadline) {
        throw new BrokerUnavailableError('the broker did not acknowledge in time', { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

function messageHeaders(values: Record<string, string>): MsgHdrs {
  const result = headers();
  for (const [name, value] of Object.entries(values)) result.set(name, value);
  return result;
}
