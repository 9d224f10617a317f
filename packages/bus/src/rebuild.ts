import { type Endpoint, filterOf, parseSubject, subjectOf } from '@cordon/contracts';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { isConflict } from './errors.ts';
import { endpointKey, entryOf, fold, nothingFolded, snapshotsOf } from './fold.ts';
import { readStream } from './read-stream.ts';
import { EVENTS } from './topology.ts';

/**
 * What became of one snapshot: `identical` byte for byte with what the log gives, `different`, `missing`; `lost-log` where
 * it differs and the beginning of the log is gone, so that nobody can say which one is right.
 */
export type Rebuilt = {
  key: string;
  was: 'identical' | 'different' | 'missing' | 'lost-log';
  written: boolean;
};
type Parts = { jsm: JetStreamManager; snapshots: KV };

/** Every endpoint in the log. */
export async function endpointsIn(jsm: JetStreamManager): Promise<Endpoint[]> {
  const { state } = await jsm.streams.info(EVENTS, { subjects_filter: filterOf('>') });
  const found = new Map<string, Endpoint>();
  for (const subject of Object.keys(state.subjects ?? {})) {
    const endpoint = parseSubject(subject)?.endpoint;
    if (endpoint) found.set(endpointKey(endpoint), endpoint);
  }
  return [...found.values()];
}

/**
 * Folds an endpoint's log from its first event and compares with what is kept; with `write` what is different or missing
 * is replaced. Others may append and keep meanwhile: each snapshot is judged at the place in the log that it names.
 */
export async function* rebuild({ jsm, snapshots }: Parts, endpoint: Endpoint, write: boolean): AsyncGenerator<Rebuilt> {
  const isWhole = (await jsm.streams.info(EVENTS)).state.first_seq <= 1;
  const all = snapshotsOf(await foldUpTo(jsm, endpoint, Infinity));
  for (const key of new Set(all.map((entry) => entry.key))) yield await one(key);

  async function one(key: string): Promise<Rebuilt> {
    for (;;) {
      const kept = await snapshots.get(key);
      const current = kept?.operation === 'PUT' ? kept.string() : undefined;
      const rebuilt = await rebuiltAt(current === undefined ? Infinity : seqIn(current), key);
      if (current === rebuilt) return { key, was: 'identical', written: false };
      const was = current === undefined ? 'missing' : isWhole ? 'different' : 'lost-log';
      if (!write || was === 'lost-log') return { key, was, written: false };
      const text = await rebuiltAt(Infinity, key);
      if (text === undefined) return { key, was, written: false };
      try {
        if (kept) await snapshots.update(key, text, kept.revision);
        else await snapshots.create(key, text);
        return { key, was, written: true };
      } catch (error) {
        if (!isConflict(error)) throw error; // a service kept a newer one: judge that one
      }
    }
  }

  async function rebuiltAt(seq: number, key: string): Promise<string | undefined> {
    const entries = snapshotsOf(await foldUpTo(jsm, endpoint, seq));
    const entry = entries.find((candidate) => candidate.key === key);
    if (!entry) return undefined;
    // A replaced incident does not change any more: older versions kept it under the sequence of whoever noticed.
    const isReplaced = entry.value.seq < seq && seq !== Infinity && key !== endpointKey(endpoint);
    return JSON.stringify(isReplaced ? { ...entry.value, seq } : entry.value);
  }
}

async function foldUpTo(jsm: JetStreamManager, endpoint: Endpoint, last: number) {
  let view = nothingFolded(endpoint);
  for await (const message of readStream(jsm, EVENTS, { seq: 1, filter: subjectOf(endpoint, '>') })) {
    if (message.seq > last) break;
    view = fold(view, entryOf(message));
  }
  return view;
}

/** The sequence a snapshot names. One that names none was not written by us: it is compared with the present. */
function seqIn(text: string): number {
  try {
    const value: unknown = JSON.parse(text);
    const seq: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'seq') : undefined;
    return typeof seq === 'number' ? seq : Infinity;
  } catch {
    return Infinity;
  }
}
