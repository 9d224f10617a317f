import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SERVICES, startSystem, type System } from '@cordon/sandbox';
import { aWebhook, throughput } from './load.ts';
import { type Report, round } from './report.ts';
import { SECRET } from './stage.ts';

/** In MiB, per service in the order of `SERVICES`. */
export type MemoryFigures = {
  readyAfterMs: number;
  webhooks: number;
  before: number[];
  during: number[];
  after: number[];
  /** After as much again, and once more: what leaks would show here. */
  again: number[];
  onceMore: number[];
};
const REST_MS = 20_000;

/** (e) and (f): memory while idle, under load, after, and after as much twice more; and the time until everything is ready. */
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
  await delay(REST_MS);
  const after = await residentMemory(system);
  const afterMore = async (): Promise<number[]> => {
    await load();
    await delay(REST_MS);
    return residentMemory(system);
  };
  return { readyAfterMs, before, during, after, again: await afterMore(), onceMore: await afterMore(), webhooks };
}

export function reportMemory({ table, say }: Report, figures: MemoryFigures): void {
  const { webhooks, before, during, after, again, onceMore, readyAfterMs } = figures;
  const row = (name: string, of: (values: number[]) => number | undefined): string[] => [
    name,
    ...[before, during, after, again, onceMore].map((values) => round(of(values) ?? 0, 0)),
  ];
  table(
    `Resident memory (MiB), three times ${Math.round(webhooks / 3)} webhooks on 50 hosts`,
    ['service', 'idle', 'under load', `${REST_MS / 1000} s later`, 'after as much again', 'and once more'],
    [
      ...SERVICES.map((name, index) => row(name, (values) => values[index])),
      row('all', (values) => values.reduce((total, value) => total + value, 0)),
    ],
  );
  say('');
  say(`Start-up to ready, broker and stand-ins included: ${round(readyAfterMs / 1000)} s.`);
}

async function residentMemory({ services }: System): Promise<number[]> {
  return Promise.all(
    SERVICES.map(async (name) => {
      const text = await (await fetch(`${services[name].adminUrl}/metrics`)).text();
      return Number(/^process_resident_memory_bytes\{[^}]*\} (\S+)$/m.exec(text)?.[1]) / 2 ** 20;
    }),
  );
}
