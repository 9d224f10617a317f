import { createServer } from 'node:http';
import { once } from 'node:events';
import { cpus, totalmem } from 'node:os';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort, startBroker, startSystem, type System } from '@cordon/sandbox';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Pool } from 'undici';
import { eventually, Person } from '../e2e/person.ts';
import { aWebhook, percentile, post, throughput } from './load.ts';

// `npm run bench`: the figures, each beside a baseline of the same run. Nothing is asserted: it prints and keeps them.

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    keep: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const seconds = Number(values.seconds);
const SECRET = 'bench-secret-that-is-long-enough';
const lines: string[] = [];
const say = (line = ''): void => {
  lines.push(line);
  process.stdout.write(`${line}\n`);
};
const wanted = (section: string): boolean => !values.only || values.only.split(',').includes(section);
const round = (value: number, digits = 1): string => value.toFixed(digits);

say('# Figures');
say();
say(
  `One run of \`npm run bench\` on ${cpus().length} cores (${cpus()[0]?.model.trim()}), ${round(totalmem() / 2 ** 30, 0)} GiB, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}; load, broker and services share the machine. Ratios are the useful part.`,
);
if (wanted('ingest')) await ingestThroughput();
if (wanted('notice')) await noticeLatency();
if (wanted('decision')) await decisionLatency();
if (wanted('memory')) await memoryAndStart();
if (values.keep && !values.only)
  await writeFile(fileURLToPath(new URL('RESULTS.md', import.meta.url)), `${lines.join('\n')}\n`);

/** (a) Cordon's ingest against the least that could be called a receiver, turn by turn in one run. */
async function ingestThroughput(): Promise<void> {
  await using system = await startSystem({ env: { LIMACHARLIE_WEBHOOK_SECRETS: SECRET, LOG_LEVEL: 'warn' } });
  await system.ready();
  for (const name of ['approval', 'isolation-executor', 'notifier'] as const) await system.services[name].stop(); // the receiver alone
  const port = await freePort();
  const bare = spawn(process.execPath, [fileURLToPath(new URL('bare-ingest.ts', import.meta.url))], {
    env: {
      PATH: process.env['PATH'],
      NATS_URL: system.natsUrl,
      PORT: String(port),
      LIMACHARLIE_WEBHOOK_SECRETS: SECRET,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const bareUrl = `http://127.0.0.1:${port}`;
  await eventually(
    () =>
      fetch(bareUrl).then(
        () => true,
        () => undefined,
      ),
    'the bare receiver',
  );
  const oid = randomUUID();
  const hosts = Array.from({ length: 50 }, () => randomUUID());
  let count = 0;
  const next = () => aWebhook(SECRET, { oid, sid: hosts[count++ % hosts.length] ?? '' });
  for (const url of [bareUrl, system.ingestUrl]) await throughput(url, next, { connections: 32, seconds: 3 }); // warm
  const rates: { bare: number[]; cordon: number[] } = { bare: [], cordon: [] };
  for (let turn = 0; turn < 3; turn++) {
    rates.bare.push(await throughput(bareUrl, next, { connections: 32, seconds }));
    rates.cordon.push(await throughput(system.ingestUrl, next, { connections: 32, seconds }));
  }
  bare.kill();
  await once(bare, 'exit');
  const [bareRate, cordonRate] = [percentile(rates.bare, 0.5), percentile(rates.cordon, 0.5)];
  say();
  say('## Webhooks per second (32 in flight, 3 turns each, median)');
  say();
  say('| receiver | per second | of the bare one |');
  say('| --- | --- | --- |');
  say(
    `| bare fastify route: verifies, publishes the received bytes, waits for the acknowledgement | ${round(bareRate, 0)} | 100 % |`,
  );
  say(
    `| ingest: the same, and parses, normalizes, de-duplicates, keeps the raw record | ${round(cordonRate, 0)} | ${round((100 * cordonRate) / bareRate, 0)} % |`,
  );
}

/** (b) From sending a webhook to Slack's API being called, beside the bare way through the same stream. */
async function noticeLatency(): Promise<void> {
  const called = new Map<string, number>();
  const slack = createServer((request, response) => {
    const at = performance.now();
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const host = /bench-host-\d+/.exec(body)?.[0];
      if (host && request.url?.endsWith('chat.postMessage') && !called.has(host)) called.set(host, at);
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ ok: true, ts: `${Date.now() / 1000}`, channel: 'C1', bot_id: 'B1', user_id: 'U1' }));
    });
  }).listen(0, '127.0.0.1');
  await once(slack, 'listening');
  const address = slack.address();
  const slackUrl = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/api/`;
  await using system = await startSystem({
    env: {
      LIMACHARLIE_WEBHOOK_SECRETS: SECRET,
      LOG_LEVEL: 'warn',
      SLACK_BOT_TOKEN: 'xoxb-bench',
      SLACK_CHANNEL: 'C1',
      SLACK_API_URL: slackUrl,
      SLACK_POSTS_PER_SECOND: '1000',
    },
  });
  await system.ready();
  const pool = new Pool(system.ingestUrl, { connections: 16 });
  const oid = randomUUID();
  const sent = new Map<string, number>();
  const bare = await bareLatency(system.natsUrl, 50, seconds);
  const total = seconds * 50;
  for (let index = 0; index < total + 100; index++) {
    const hostname = `bench-host-${index}`;
    const webhook = aWebhook(SECRET, { oid, sid: randomUUID(), hostname });
    sent.set(hostname, performance.now());
    void post(pool, webhook);
    await delay(20);
  }
  await eventually(() => (called.size >= total + 100 ? true : undefined), 'all notices', 60_000);
  const latencies = [...sent].slice(100).map(([host, at]) => (called.get(host) ?? Number.NaN) - at); // the first 100 warm up
  await pool.close();
  slack.close();
  slack.closeAllConnections();
  say();
  say('## From a webhook to the notice (50 new incidents per second, milliseconds)');
  say();
  say('| way | p50 | p95 | p99 |');
  say('| --- | --- | --- | --- |');
  say(`| bare publish to consume on the same stream | ${triple(bare)} |`);
  say(`| webhook sent to Slack API called (stored, folded and recorded on the way) | ${triple(latencies)} |`);
}

/** Publishing to the events stream and consuming it with a durable, nothing between. */
async function bareLatency(natsUrl: string, perSecond: number, forSeconds: number): Promise<number[]> {
  const connection = await connect({ servers: natsUrl });
  const js = jetstream(connection);
  const jsm = await jetstreamManager(connection);
  await jsm.consumers.add('CORDON_EVENTS', {
    durable_name: 'bench',
    ack_policy: 'explicit',
    filter_subject: 'cordon.events.bench.latency.>',
  });
  const consumer = await js.consumers.get('CORDON_EVENTS', 'bench');
  const messages = await consumer.consume({ max_messages: 16 });
  const latencies: number[] = [];
  const reading = (async () => {
    for await (const message of messages) {
      latencies.push(performance.now() - Number(message.string().slice(0, 24)));
      message.ack();
    }
  })();
  const padding = 'x'.repeat(3000);
  for (let index = 0; index < perSecond * forSeconds; index++) {
    void js.publish('cordon.events.bench.latency.detection.raised', `${performance.now()}`.padEnd(24, ' ') + padding);
    await delay(1000 / perSecond);
  }
  await eventually(() => (latencies.length >= perSecond * forSeconds ? true : undefined), 'the bare messages');
  await messages.close();
  await reading;
  await jsm.consumers.delete('CORDON_EVENTS', 'bench');
  await connection.close();
  return latencies.slice(50);
}

/** (c) From a person's POST to the isolation request arriving at LimaCharlie. */
async function decisionLatency(): Promise<void> {
  const sensors = Array.from({ length: 100 }, (_, index) => ({ sid: randomUUID(), hostname: `bench-host-${index}` }));
  await using system = await startSystem({
    sensors,
    env: { LIMACHARLIE_WEBHOOK_SECRETS: SECRET, LOG_LEVEL: 'warn', SLACK_POSTS_PER_SECOND: '1000' },
  });
  await system.ready();
  const { limaCharlie } = system;
  if (!limaCharlie) throw new Error('no stand-in');
  const pool = new Pool(system.ingestUrl, { connections: 8 });
  for (const { sid, hostname } of sensors) await post(pool, aWebhook(SECRET, { oid: limaCharlie.oid, sid, hostname }));
  await pool.close();
  const questions = await openQuestions(system, sensors.length);
  const people = await Promise.all(
    Array.from({ length: Math.ceil(sensors.length / 15) }, async () => {
      const person = new Person(system.approvalUrl);
      await person.signIn('Alice');
      return person;
    }),
  );
  const latencies: number[] = [];
  for (const [index, id] of questions.entries()) {
    const person = people[index % people.length];
    if (!person) throw new Error('nobody is signed in');
    const { fields } = (await person.get(`/approvals/${id}`)).form(/review/);
    const known = limaCharlie.calls.isolation.length;
    const start = Date.now();
    await person.post(`/approvals/${id}/decide`, { ...fields, choice: 'isolate', reason: 'a benchmark' });
    const call = await eventually(() => limaCharlie.calls.isolation[known], 'the request');
    latencies.push(call.at - start);
  }
  say();
  say('## From a decision to the isolation request (milliseconds)');
  say();
  say('| way | p50 | p95 | p99 |');
  say('| --- | --- | --- | --- |');
  say(`| POST of the decision sent to request received by LimaCharlie | ${triple(latencies.slice(5))} |`);
}

async function openQuestions(system: System, count: number): Promise<string[]> {
  const person = new Person(system.approvalUrl);
  await person.signIn('Alice');
  return eventually(
    async () => {
      const ids = [...(await person.get('/')).body.matchAll(/\/approvals\/([0-9a-f]{32})/g)].map(([, id = '']) => id);
      return ids.length >= count ? [...new Set(ids)] : undefined;
    },
    'all questions',
    60_000,
  );
}

/** (e) and (f): memory while idle, under load and after; and the time until everything is ready. */
async function memoryAndStart(): Promise<void> {
  const start = performance.now();
  await using system = await startSystem({ env: { LIMACHARLIE_WEBHOOK_SECRETS: SECRET, LOG_LEVEL: 'warn' } });
  await system.ready();
  const readyAfter = performance.now() - start;
  const names = Object.keys(system.services);
  const before = await memory(system);
  const oid = randomUUID();
  const hosts = Array.from({ length: 50 }, () => randomUUID());
  let count = 0;
  await throughput(system.ingestUrl, () => aWebhook(SECRET, { oid, sid: hosts[count++ % 50] ?? '' }), {
    connections: 16,
    seconds,
  });
  const during = await memory(system);
  await delay(20_000);
  const after = await memory(system);
  say();
  say(`## Resident memory (MB), ${count} webhooks on 50 hosts in ${seconds} s`);
  say();
  say('| service | idle | under load | 20 s later |');
  say('| --- | --- | --- | --- |');
  for (const [index, name] of names.entries())
    say(
      `| ${name} | ${round(before[index] ?? 0, 0)} | ${round(during[index] ?? 0, 0)} | ${round(after[index] ?? 0, 0)} |`,
    );
  say(`| all | ${round(sum(before), 0)} | ${round(sum(during), 0)} | ${round(sum(after), 0)} |`);
  say();
  say(`Start-up to ready, broker and stand-ins included: ${round(readyAfter / 1000)} s.`);
}

async function memory(system: System): Promise<number[]> {
  return Promise.all(
    Object.values(system.services).map(async (service) => {
      const text = await (await fetch(`${service.adminUrl}/metrics`)).text();
      return Number(/^process_resident_memory_bytes\{[^}]*\} (\S+)$/m.exec(text)?.[1]) / 1e6;
    }),
  );
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, value) => total + value, 0);
}

function triple(values: number[]): string {
  return [0.5, 0.95, 0.99].map((share) => round(percentile(values, share))).join(' | ');
}
void startBroker;
