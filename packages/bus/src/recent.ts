import { type Endpoint, parseSubject, type StoredEvent } from '@cordon/contracts';
import type { JetStreamClient } from '@nats-io/jetstream';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { type Received, received } from './consume.ts';
import { endpointKey, type Entry, entryOf, eventIn } from './fold.ts';
import { PULL_EXPIRES_MS } from './follow.ts';
import { EVENTS } from './topology.ts';

const KEPT = 1000;
/** What was delivered to a consumer already is about to come here as well. */
const PATIENCE_MS = 50;
const AGAIN_AFTER_MS = 1000;

type Listener = (key: string, entry: Entry) => void;

/**
 * The newest events of the log, as they come. Most looks into the log are about what has just happened, and several
 * consumers of one process look: so each event is read once, and the broker is not asked for it.
 */
export interface RecentEvents {
  /** Begins to listen, once. */
  follow(): Promise<void>;
  /**
   * The event in a message of the log, read once however often it is delivered. Throws where there is none. Where a
   * consumer was delivered the next of the row sooner, the row goes on with that.
   */
  read(message: Received): StoredEvent;
  /** Called with every event from now on, and the key of its endpoint. */
  listen(listener: Listener): void;
  /** Another number whenever the row of events broke, and some may have been missed. Absent while it is broken. */
  unbrokenSince(): number | undefined;
  /** What happened to an endpoint after `seq` up to now; nothing where not all of it is here. */
  after(endpoint: Endpoint, seq: number): Entry[] | undefined;
  /** Whether everything up to `seq` has come; waits a moment for it. */
  reached(seq: number): Promise<boolean>;
  stop(): void;
}

export function recentEvents(js: JetStreamClient, log: Logger): RecentEvents {
  const read = new LRUCache<number, Entry>({ max: KEPT });
  const entries = new Map<number, Entry & { key: string }>();
  const waiting = new Set<() => void>();
  const listeners: Listener[] = [];
  let newest = 0;
  let breaks = 0;
  let messages: Awaited<ReturnType<typeof listen>> | undefined;
  let stopped = false;

  function entryIn(message: Received): Entry {
    const entry = read.get(message.seq) ?? entryOf(message);
    read.set(message.seq, entry);
    return entry;
  }

  function arrived(message: Received): void {
    const { seq, subject } = message;
    if (seq <= newest) return;
    const endpoint = parseSubject(subject)?.endpoint;
    const entry = entryIn(message);
    const key = endpoint ? endpointKey(endpoint) : '';
    entries.set(seq, { ...entry, key });
    newest = seq;
    const [oldest] = entries.keys();
    if (entries.size > KEPT && oldest !== undefined) entries.delete(oldest);
    for (const listener of listeners) listener(key, entry);
    for (const look of waiting) look();
  }

  async function listen() {
    const consumer = await js.consumers.get(EVENTS, { deliver_policy: 'new' });
    return consumer.consume({ max_messages: KEPT, expires: PULL_EXPIRES_MS });
  }

  /** Begins anew where it breaks: meanwhile the log itself is asked. */
  async function keepListening(): Promise<void> {
    for (;;) {
      try {
        messages ??= await listen();
        for await (const message of messages) arrived(received(message));
      } catch (err) {
        log.warn({ err }, 'recent events are not followed, will be tried again');
      }
      messages = undefined;
      entries.clear();
      newest = 0;
      breaks++;
      if (stopped) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
    }
  }

  async function reached(seq: number): Promise<boolean> {
    if (newest >= seq) return true;
    if (entries.size === 0) return false; // it is broken, or nothing has happened since it began
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = (): void => (newest >= seq ? resolve(true) : undefined);
    const timer = setTimeout(resolve, PATIENCE_MS, false);
    waiting.add(look);
    try {
      return await promise;
    } finally {
      waiting.delete(look);
      clearTimeout(timer);
    }
  }

  return {
    async follow() {
      if (messages) return;
      messages = await listen();
      void keepListening();
    },

    read(message) {
      if (entries.size > 0 && message.seq === newest + 1) arrived(message);
      return entryIn(message).event ?? eventIn(message); // which throws, and says why
    },

    listen: (listener) => void listeners.push(listener),
    unbrokenSince: () => (messages === undefined ? undefined : breaks),
    reached,

    after(endpoint, seq) {
      const [oldest] = entries.keys();
      if (oldest === undefined || oldest > seq + 1) return undefined;
      const key = endpointKey(endpoint);
      return [...entries.values()].filter((entry) => entry.seq > seq && entry.key === key);
    },

    stop() {
      stopped = true;
      messages?.stop();
    },
  };
}
