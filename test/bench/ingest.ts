import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort, type System } from '@cordon/sandbox';
import { eventually } from '../e2e/person.ts';
import { aWebhook, throughput } from './load.ts';
import { median, type Report, round } from './report.ts';
import { SECRET } from './stage.ts';

/** Per second, turn by turn: the machine is not equally fast for long. */
export type IngestFigures = { bare: number[]; cordon: number[] };
const TURNS = 15;
const WARM_UP_SECONDS = 8;
const CONNECTIONS = 32;

/**
 * (a) Cordon's ingest against the least that could be called a receiver, turn by turn in one run; nothing else runs. Of
 * several systems, each has its turns between those of the others. Adds to the figures of each.
 */
export async function measureIngest(
  systems: readonly { system: System; figures: IngestFigures }[],
  seconds: number,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const receivers: { url: string; rates: number[] }[] = [];
  for (const { system, figures } of systems) {
    for (const name of ['approval', 'isolation-executor', 'notifier'] as const) await system.services[name].stop();
    const bare = stack.use(await startBareReceiver(system.natsUrl));
    receivers.push({ url: bare.url, rates: figures.bare }, { url: system.ingestUrl, rates: figures.cordon });
  }
  const oid = randomUUID();
  const hosts = Array.from({ length: 50 }, () => randomUUID());
  let count = 0;
  const next = () => aWebhook(SECRET, { oid, sid: hosts[count++ % hosts.length] ?? '' });
  const rate = (url: string, forSeconds: number) =>
    throughput(url, next, { connections: CONNECTIONS, seconds: forSeconds });

  for (const { url } of receivers) await rate(url, WARM_UP_SECONDS);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { url, rates } of receivers) rates.push(await rate(url, seconds / 5));
  }
}

export function reportIngest({ table }: Report, figures: IngestFigures): void {
  const ratios = figures.cordon.map((rate, turn) => rate / (figures.bare[turn] ?? Number.NaN));
  table(
    `Webhooks per second (${CONNECTIONS} in flight, ${figures.bare.length} turns each, median)`,
    ['receiver', 'per second', 'of the bare one'],
    [
      [
        'bare fastify route: verifies, publishes the received bytes, waits for the acknowledgement',
        round(median(figures.bare), 0),
        '100 %',
      ],
      [
        'ingest: the same, and parses, normalizes, de-duplicates, keeps the raw record',
        round(median(figures.cordon), 0),
        `${round(100 * median(ratios), 0)} %`,
      ],
    ],
  );
}

async function startBareReceiver(natsUrl: string): Promise<{ url: string } & AsyncDisposable> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [fileURLToPath(new URL('bare-ingest.ts', import.meta.url))], {
    env: { PATH: process.env['PATH'], NATS_URL: natsUrl, PORT: String(port), LIMACHARLIE_WEBHOOK_SECRETS: SECRET },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await eventually(
    () =>
      fetch(url).then(
        () => true,
        () => undefined,
      ),
    'the bare receiver',
  );
  return {
    url,
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
