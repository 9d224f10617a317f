import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';

/** Where to begin, and which subjects. */
export type Range = { filter: string } & ({ seq: number } | { startTime: Date });

const BATCH = 500;
const NO_MESSAGE_FOUND = 404;

/** What a stream holds now, in order, read in batches and without a consumer. */
export async function* readStream(jsm: JetStreamManager, stream: string, range: Range): AsyncGenerator<StoredMsg> {
  let from: { seq: number } | { start_time: Date } =
    'seq' in range ? { seq: range.seq } : { start_time: range.startTime };
  for (;;) {
    let last: StoredMsg | undefined;
    let count = 0;
    try {
      for await (const message of await jsm.direct.getBatch(stream, {
        ...from,
        batch: BATCH,
        next_by_subj: range.filter,
      })) {
        last = message;
        count++;
        yield message;
      }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === NO_MESSAGE_FOUND)) throw error;
    }
    if (!last || count < BATCH) return;
    from = { seq: last.seq + 1 };
  }
}
