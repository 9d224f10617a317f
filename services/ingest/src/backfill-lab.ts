import { randomUUID } from 'node:crypto';
import { type Bus, connectBus, connectOperator, CONSUMERS, eventIn, Quarantined } from '@cordon/bus';
import { filterOf } from '@cordon/contracts';
import { limaCharlie } from '@cordon/limacharlie/client';
import { type Broker, freePort, startBroker, startLimaCharlie } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { Registry } from 'prom-client';
import { expect } from 'vitest';
import { startBackfillClock, type Timing } from './backfill-clock.ts';
import { createBackfill } from './backfill.ts';
import { bookmarkIn } from './bookmark.ts';
import { aRecord, SECRET } from './lab.ts';
import { serveWebhooks } from './server.ts';
import { createKeeper, type Store } from './store.ts';

const OID = '8cbe27f4-1111-4111-8111-138cd51389cd';
/** For tests: a clock that hurries, and after that waits longer than any test. */
const FAST: Timing = { slow: 60_000, eager: 200, eagerFor: 500, least: 50, firstRetry: 50, longestRetry: 500 };

export type IngestOptions = {
  port?: number;
  ruleTags?: string[];
  timing?: Partial<Timing>;
  wrap?: (bus: Bus) => Store;
};

/** For tests: a broker, a LimaCharlie stand-in that sends to one port, and an ingest on that port which may come and go. */
export async function startBackfillLab({ pauseMs = 100 } = {}) {
  const broker: Broker = await startBroker();
  const port = await freePort();
  const apiKey = randomUUID();
  const webhook = { url: `http://127.0.0.1:${port}/webhooks/limacharlie`, secret: SECRET };
  const cloud = await startLimaCharlie({ oid: OID, apiKey, webhook, pauseMs });
  const watcher = await connectBus({ url: broker.url, name: 'watcher', log: createLogger('watcher', 'silent') });
  const quarantine: Quarantined[] = [];
  await watcher.consumeAside(CONSUMERS.quarantined, Quarantined, async (record) => void quarantine.push(record));
  const bucket = await watcher.bucket('bookmarks');
  const key = `limacharlie.${OID}`;

  return {
    broker,
    cloud,
    bus: watcher,
    raiseAll: async (sent: Record<string, unknown>[]) => {
      for (const record of sent) await cloud.raise(record);
    },
    /** The `detect_id` of everything that the log has of LimaCharlie by now, sorted. */
    raised: async () => {
      await using operator = await connectOperator({ url: broker.url, name: 'reader' });
      const ids: string[] = [];
      for await (const message of operator.read({ seq: 1, filter: filterOf('detection.raised') })) {
        const event = eventIn(message);
        if (event.type === 'detection.raised') ids.push(event.data.detection.finding_info.uid);
      }
      return ids.toSorted();
    },
    quarantine,
    bookmark: async () => (await bucket.get(key))?.json<{ since: string; upTo: string }>(),
    /** As after an ingest that was here `minutes` ago, for `days` before that. */
    setBookmark: async (minutes: number, days = 30) => {
      const upTo = Date.now() - minutes * 60_000;
      const since = new Date(upTo - days * 86_400_000);
      await bucket.put(key, JSON.stringify({ since, upTo: new Date(upTo) }));
    },
    startIngest: (options: IngestOptions = {}) => startIngest({ broker, cloud, port, apiKey }, options),
    async [Symbol.asyncDispose]() {
      await watcher.close();
      await cloud.close();
      await broker[Symbol.asyncDispose]();
    },
  };
}

export type BackfillLab = Awaited<ReturnType<typeof startBackfillLab>>;
export type Ingest = Awaited<ReturnType<BackfillLab['startIngest']>>;

type Around = { broker: Broker; cloud: { apiUrl: string; jwtUrl: string }; port: number; apiKey: string };

/** What `wire.ts` starts, in this process. */
async function startIngest(around: Around, options: IngestOptions) {
  const { broker, cloud, apiKey } = around;
  const { port = around.port, ruleTags = [], timing = {}, wrap = (bus: Bus): Store => bus } = options;
  const logLines: string[] = [];
  const log = createLogger('ingest', 'info', { write: (line) => void logLines.push(line) });
  const metrics = new Registry();
  const bus = await connectBus({ url: broker.url, name: 'ingest', log });
  const keeper = createKeeper({ bus: wrap(bus), log, metrics });
  const client = limaCharlie({ apiUrl: cloud.apiUrl, jwtUrl: cloud.jwtUrl, oid: OID, apiKey, attempts: 1, log });
  const openBookmark = async () => bookmarkIn(await bus.bucket('bookmarks'), OID);
  const clock = startBackfillClock({
    backfill: createBackfill({ client, openBookmark, keeper, ruleTags, log, metrics }),
    isConnected: () => bus.isConnected(),
    timing: { ...FAST, ...timing },
    log,
    metrics,
  });
  const server = await serveWebhooks({
    keeper,
    secrets: [SECRET],
    host: '127.0.0.1',
    port,
    bodyLimitBytes: 1024 * 1024,
    onUnavailable: () => clock.askSoon(),
    log,
    metrics,
  });
  const count = async (name: string, outcome: string): Promise<number> => {
    const { values = [] } = (await metrics.getSingleMetric(name)?.get()) ?? {};
    return values.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0;
  };
  return {
    logLines,
    askSoon: () => clock.askSoon(),
    runs: (outcome: string) => count('cordon_backfill_runs_total', outcome),
    backfilled: (outcome: string) => count('cordon_backfilled_total', outcome),
    async [Symbol.asyncDispose]() {
      await server.close();
      await clock.stop();
      await bus.close();
    },
  };
}

/** For tests: as many detections on that many endpoints, made over the last `minutes`, the oldest first. */
export function records(count: number, { endpoints = 7, minutes = 10, tags = ['cordon'] } = {}) {
  const sids = Array.from({ length: endpoints }, () => randomUUID());
  return Array.from({ length: count }, (_, index) =>
    aRecord({
      gen_time: Math.round(Date.now() - minutes * 60_000 * (1 - index / count)),
      routing: { oid: OID, sid: sids[index % endpoints], hostname: 'workstation-01', plat: 268_435_456 },
      rule_tags: tags,
    }),
  );
}

/** For tests: how many passes ended so, to be waited for. */
export const runs = (ingest: Ingest, outcome = 'done') => expect.poll(() => ingest.runs(outcome));

/** For tests: a pass that begins after now, and its end. */
export async function nextPass(ingest: Ingest): Promise<void> {
  const enough = (await ingest.runs('done')) + 2; // one may be under way
  const askedAndDone = () => {
    ingest.askSoon();
    return ingest.runs('done');
  };
  await expect.poll(askedAndDone).toBeGreaterThanOrEqual(enough);
}

/** For tests: the ids of records, in the order in which lists are compared. */
export const idsOf = (sent: { detect_id: string }[]) => sent.map(({ detect_id }) => detect_id).toSorted();
