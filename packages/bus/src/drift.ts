import { isDeepStrictEqual } from 'node:util';
import { JetStreamApiError, type JetStreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { allConsumers, BUCKETS, consumerConfig, STREAMS } from './topology.ts';

/** One stream, consumer or bucket: as the broker has it, against how it is declared here. */
export type TopologyItem = {
  kind: 'stream' | 'consumer' | 'bucket';
  name: string;
  /** Of a consumer, the stream it reads. */
  stream?: string;
  state: 'as declared' | 'missing' | 'differs' | 'not declared';
  differences: { setting: string; declared: unknown; found: unknown }[];
  /** What it holds: messages of a stream, what waits for a consumer. */
  messages: number;
  bytes?: number;
  /** Of a consumer: delivered and not acknowledged yet. */
  inHand?: number;
  replicas?: number;
};

const NOT_FOUND = new Set([10014, 10059]);

/** Compares everything that is declared with what there is, and finds what nobody declared. Changes nothing. */
export async function compareTopology(jsm: JetStreamManager, replicas: number | undefined): Promise<TopologyItem[]> {
  const copies = replicas === undefined ? {} : { num_replicas: replicas };
  const buckets = Object.values(BUCKETS).map(({ name, ttlMs }) => ({
    kind: 'bucket' as const,
    name,
    declared: { name: `KV_${name}`, max_age: nanos(ttlMs), ...copies },
  }));
  const streams = STREAMS.map((spec) => ({
    kind: 'stream' as const,
    name: spec.name,
    declared: { ...spec, ...copies },
  }));
  const items: TopologyItem[] = [];
  for (const { kind, name, declared } of [...streams, ...buckets]) {
    const info = await unlessMissing(() => jsm.streams.info(declared.name));
    if (!info) items.push({ kind, name, state: 'missing', differences: [], messages: 0 });
    else {
      const { state, config } = info;
      const found = { messages: state.messages, bytes: state.bytes, replicas: config.num_replicas };
      items.push({ kind, name, ...compared(declared, config), ...found });
    }
  }
  const consumers = allConsumers();
  for (const spec of consumers) {
    const item = { kind: 'consumer' as const, name: spec.name, stream: spec.stream };
    const info = await unlessMissing(() => jsm.consumers.info(spec.stream, spec.name));
    if (!info) items.push({ ...item, state: 'missing', differences: [], messages: 0 });
    else {
      const found = { messages: info.num_pending, inHand: info.num_ack_pending };
      items.push({ ...item, ...compared(consumerConfig(spec), info.config), ...found });
    }
  }
  return [...items, ...(await undeclared(jsm, items))];
}

/** Leftovers of older versions, or of somebody's experiments. */
async function undeclared(jsm: JetStreamManager, known: TopologyItem[]): Promise<TopologyItem[]> {
  const found: TopologyItem[] = [];
  const isKnown = (name: string, stream?: string): boolean =>
    known.some((item) => item.name === name && item.stream === stream);
  for await (const { config, state } of jsm.streams.list()) {
    const bucket = /^KV_(CORDON_.*)$/.exec(config.name)?.[1];
    const name = bucket ?? config.name;
    if (!name.startsWith('CORDON_')) continue;
    if (!isKnown(name)) {
      const kind = bucket ? 'bucket' : 'stream';
      found.push({ kind, name, state: 'not declared', differences: [], messages: state.messages, bytes: state.bytes });
    }
    if (bucket) continue;
    for await (const { config: consumer, num_pending } of jsm.consumers.list(name)) {
      const { durable_name } = consumer; // others belong to somebody who is looking right now, and go by themselves
      if (!durable_name || isKnown(durable_name, name)) continue;
      const item = { kind: 'consumer' as const, name: durable_name, stream: name };
      found.push({ ...item, state: 'not declared', differences: [], messages: num_pending });
    }
  }
  return found;
}

function compared(declared: object, found: object): Pick<TopologyItem, 'state' | 'differences'> {
  const existing = new Map<string, unknown>(Object.entries(found));
  const differences = Object.entries(declared)
    .map(([setting, value]) => ({ setting, declared: value, found: existing.get(setting) ?? unset(value) }))
    .filter((entry) => !isDeepStrictEqual(entry.declared, entry.found));
  return { state: differences.length === 0 ? 'as declared' : 'differs', differences };
}

/** What the broker leaves out is zero, false or empty. */
function unset(declared: unknown): unknown {
  if (typeof declared === 'number') return 0;
  if (typeof declared === 'boolean') return false;
  return Array.isArray(declared) ? [] : undefined;
}

/** What was asked for, or nothing where the stream or consumer does not exist. */
export async function unlessMissing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof JetStreamApiError && NOT_FOUND.has(error.code)) return undefined;
    throw error;
  }
}
