import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CONSUMERS } from '@cordon/bus';
import { SERVICES, startSystem, type System } from '@cordon/sandbox';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { eventually } from '../e2e/person.ts';
import { aWebhook, throughput } from './load.ts';
import { type Report, round } from './report.ts';
import { SECRET } from './stage.ts';

/** In MiB, per service in the order of `SERVICES`. */
export type MemoryFigures = {
  readyAfterMs: number;
  webhooks: number;
  before: number[];
  during: number[];
  /** After each of several loads: caches fill in the first ones, and what leaks would go on growing. */
  after: number[][];
};
const LOADS = 5;
/** Measured: 40 to 120 s after the last webhook of a load. */
const WORKED_OFF_WITHIN_MS = 600_000;
/** After that. */
const REST_MS = 40_000;

/** (e) and (f): memory while idle, under load, after, and after as much again and again; and the time until everything is ready. */
export async function measureMemory(seconds: number): Promise<MemoryFigures> {
  const start = performance.now();
  await using system = await startSystem({ env: { LIMACHARLIE_WEBHOOK_SECRETS: SECRET, LOG_LEVEL: 'warn' } });
  await system.ready();
  const readyAfterMs = performance.now() - start;
  const before = await residentMemory(system);
  const oid = randomUUID();
  const hosts = Array.from({ length: 50 }, () => randomUUID());
  let webhooks = 0;
  const next = () => aWebhook(SECRET, { oid, sid: hosts[webhooks++ % hosts.length] ?? '' });
  const load = () => throughput(system.ingestUrl, next, { connections: 16, seconds });
  await load();
  const during = await residentMemory(system);
  const after: number[][] = [];
  for (let loads = 1; ; loads++) {
    await workedOff(system);
    await delay(REST_MS);
    after.push(await residentMemory(system));
    if (loads === LOADS) return { readyAfterMs, webhooks, before, during, after };
    await load();
  }
}

export function reportMemory({ table, say }: Report, figures: MemoryFigures): void {
  const { webhooks, before, during, after, readyAfterMs } = figures;
  const row = (name: string, of: (values: number[]) => number | undefined): string[] => [
    name,
    ...[before, during, ...after].map((values) => round(of(values) ?? 0, 0)),
  ];
  table(
    `Resident memory (MiB), ${LOADS} times ${Math.round(webhooks / LOADS)} webhooks on 50 hosts`,
    ['service', 'idle', 'under load', 'at rest', ...after.slice(1).map((_, index) => `after load ${index + 2}`)],
    [
      ...SERVICES.map((name, index) => row(name, (values) => values[index])),
      row('all', (values) => values.reduce((total, value) => total + value, 0)),
    ],
  );
  say('');
  say(`At rest is ${REST_MS / 1000} s after no consumer has anything left to do.`);
  say('');
  say(`Start-up to ready, broker and stand-ins included: ${round(readyAfterMs / 1000)} s.`);
}

/** Until no consumer has a message that waits or is in hand. */
async function workedOff({ natsUrl }: System): Promise<void> {
  const connection = await connect({ servers: natsUrl });
  const jsm = await jetstreamManager(connection);
  const isOver = async (): Promise<true | undefined> => {
    await delay(1000); // a service that is asked all the time does not get to rest
    const infos = await Promise.all(
      Object.values(CONSUMERS).map(({ stream, name }) => jsm.consumers.info(stream, name)),
    );
    return infos.every((info) => info.num_pending + info.num_ack_pending === 0) || undefined;
  };
  await eventually(isOver, 'all work done', WORKED_OFF_WITHIN_MS);
  await connection.close();
}

async function residentMemory({ services }: System): Promise<number[]> {
  return Promise.all(
    SERVICES.map(async (name) => {
      const text = await (await fetch(`${services[name].adminUrl}/metrics`)).text();
      return Number(/^process_resident_memory_bytes\{[^}]*\} (\S+)$/m.exec(text)?.[1]) / 2 ** 20;
    }),
  );
}
