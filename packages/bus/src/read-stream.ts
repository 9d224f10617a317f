import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';

/** Where to begin, and which subjects. */
export type Range = { filter: string } & ({ seq: number } | { startTime: Date });
type From = { seq: number } | { start_time: Date };

const BATCH = 500;
const NO_MESSAGE_FOUND = 404;

/** What a stream holds now, in order, read in batches and without a consumer. */
export async function* readStream(jsm: JetStreamManager, stream: string, range: Range): AsyncGenerator<StoredMsg> {
  let from: From = 'seq' in range ? { seq: range.seq } : { start_time: range.startTime };
  for (;;) {
    const messages = await readBatch(jsm, stream, from, range.filter);
    yield* messages;
    const last = messages.at(-1);
    if (!last || messages.length < BATCH) return;
    from = { seq: last.seq + 1 };
  }
}

/** With a callback: read as an iterator, the client keeps the subscription of every batch for ever. */
async function readBatch(jsm: JetStreamManager, stream: string, from: From, filter: string): Promise<StoredMsg[]> {
  const messages: StoredMsg[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<StoredMsg[]>();
  await jsm.direct.getBatch(stream, {
    ...from,
    batch: BATCH,
    next_by_subj: filter,
    callback: (done, message) => {
      if (!done) messages.push(message);
      else if (!done.err || ('code' in done.err && done.err.code === NO_MESSAGE_FOUND)) resolve(messages);
      else reject(done.err);
    },
  });
  return promise;
}
