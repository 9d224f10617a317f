import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '@cordon/sandbox';
import { eventually } from '../e2e/person.ts';
import { aWebhook, throughput } from './load.ts';
import { median, type Report, round } from './report.ts';
import { type Figures, type Measured, SECRET } from './stage.ts';

const TURNS = 15;
const WARM_UP_SECONDS = 8;
const CONNECTIONS = 32;

/** (a) Cordon's ingest against the least that could be called a receiver; nothing else runs. */
export async function measureIngest(systems: readonly Measured[], seconds: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const receivers: { url: string; rates: number[] }[] = [];
  for (const { stage, figures } of systems) {
    const { services, natsUrl, ingestUrl } = stage.system;
    for (const name of ['approval', 'isolation-executor', 'notifier'] as const) await services[name].stop();
    const bare = stack.use(await startBareReceiver(natsUrl));
    receivers.push({ url: bare.url, rates: figures.ingest.bare }, { url: ingestUrl, rates: figures.ingest.cordon });
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

export function reportIngest({ table }: Report, { bare, cordon }: Figures['ingest']): void {
  const ratios = cordon.map((rate, turn) => rate / (bare[turn] ?? Number.NaN));
  table(
    `Webhooks per second (${CONNECTIONS} in flight, ${bare.length} turns each, median)`,
    ['receiver', 'per second', 'of the bare one'],
    [
      [
        'bare fastify route: verifies, publishes the received bytes, waits for the acknowledgement',
        round(median(bare), 0),
        '100 %',
      ],
      [
        'ingest: the same, and parses, normalizes, de-duplicates, keeps the raw record',
        round(median(cordon), 0),
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
