import type { JetStreamClient, JetStreamManager, JsMsg, StoredMsg } from '@nats-io/jetstream';
import { z } from 'zod';
import { PermanentError } from './errors.ts';
import { publish } from './publish.ts';
import { redriveSubject } from './topology.ts';

/** A stored message that a consumer is to handle once more, by reference: so it keeps its own sequence and time. */
export const MessageRef = z.object({ stream: z.string(), seq: z.int().positive() });
export type MessageRef = z.infer<typeof MessageRef>;

/** Hands a stored message to a consumer once more. The same `id` again within the duplicate window does nothing. */
export async function redrive(
  js: JetStreamClient,
  consumer: string,
  { stream, seq }: MessageRef,
  id: string,
): Promise<{ seq: number; duplicate: boolean }> {
  const ack = await publish(js, redriveSubject(consumer), JSON.stringify({ stream, seq }), { id });
  return { seq: ack.seq, duplicate: ack.duplicate };
}

/** The message that a redrive refers to. Throws `PermanentError` where there is none any more. */
export async function originalOf(
  jsm: JetStreamManager,
  delivery: JsMsg,
): Promise<{ stream: string; message: StoredMsg }> {
  const ref = MessageRef.safeParse(jsonIn(delivery));
  if (!ref.success) throw new PermanentError('not a redrive: it does not name a stream and a sequence');
  const { stream, seq } = ref.data;
  const message = await jsm.streams.getMessage(stream, { seq });
  if (!message) throw new PermanentError(`message ${seq} is no longer in ${stream}`);
  return { stream, message };
}

function jsonIn(delivery: JsMsg): unknown {
  try {
    return delivery.json();
  } catch {
    return undefined;
  }
}
