import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Pool } from 'undici';
import { eventually } from '../e2e/person.ts';
import { aWebhook, percentile, post } from './load.ts';
import { median, type Report, round, typical } from './report.ts';
import { type Figures, type Measured, SECRET, type Stage } from './stage.ts';

const TURNS = 6;
const PER_SECOND = 50;
/** Of the seconds given. The slowest hundredth of 500 notices is five, as many as a single pause of the broker holds up. */
const LONGER = 2;
/** V8 compiles what runs often, best after 3000 calls, which is work of its own. */
const WARM_UP_SECONDS = 30;
/** What is still to be done about the last incidents. */
const REST_MS = 1000;
/** In the events stream, but read by no service. */
const BARE_SUBJECT = 'cordon.events.bench';

/** (b) From sending a webhook about a new machine to Slack's API being called, beside the bare way through the stream. */
export async function measureNotice(systems: readonly Measured[], seconds: number): Promise<void> {
  for (const { stage } of systems) await noticeLatency(stage, WARM_UP_SECONDS);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { stage, figures } of systems) {
      figures.notice.bare.push(await bareLatency(stage.system.natsUrl, seconds / 4));
      figures.notice.notice.push(await noticeLatency(stage, seconds * LONGER));
    }
  }
}

async function noticeLatency({ system, slack, oid }: Stage, seconds: number): Promise<number[]> {
  const pool = new Pool(system.ingestUrl, { connections: 16 });
  const run = randomUUID().slice(0, 8);
  const sent = new Map<string, number>();
  const posts: Promise<void>[] = [];
  await steadily(seconds, (index) => {
    const hostname = `bench-host-${run}-${index}`;
    const webhook = aWebhook(SECRET, { oid, sid: randomUUID(), hostname });
    sent.set(hostname, performance.now());
    posts.push(post(pool, webhook));
  });
  await Promise.all(posts);
  const isPosted = (): true | undefined =>
    [...sent.keys()].every((host) => slack.posted.has(host)) ? true : undefined;
  await eventually(isPosted, 'all notices', 120_000);
  await delay(REST_MS);
  await pool.close();
  return [...sent].map(([host, at]) => (slack.posted.get(host) ?? Number.NaN) - at);
}

export function reportNotice({ table, say }: Report, { bare, notice }: Figures['notice']): void {
  table(
    `From a webhook to the notice (${PER_SECOND} new incidents per second, ${notice.length} turns each, median, milliseconds)`,
    ['way', 'p50', 'p95', 'p99'],
    [
      ['bare publish to consume on the same stream', ...typical(bare)],
      ['webhook sent to Slack API called (stored, folded and recorded on the way)', ...typical(notice)],
    ],
  );
  const times = notice.map((turn, index) => percentile(turn, 0.5) / percentile(bare[index] ?? [], 0.5));
  say('');
  say(
    `Half of the notices take ${round(median(times))} times as long as the bare way or less. By turns: p50 ${each(notice, 0.5)} (bare ${each(bare, 0.5)}), p99 ${each(notice, 0.99)}.`,
  );
}

function each(turns: number[][], share: number): string {
  return turns.map((turn) => round(percentile(turn, share))).join(', ');
}

/** Publishing to the events stream and consuming it with a durable, nothing between. */
async function bareLatency(natsUrl: string, seconds: number): Promise<number[]> {
  const connection = await connect({ servers: natsUrl });
  const js = jetstream(connection);
  const jsm = await jetstreamManager(connection);
  const config = {
    durable_name: 'bench',
    ack_policy: 'explicit',
    deliver_policy: 'new',
    filter_subject: BARE_SUBJECT,
  } as const;
  await jsm.consumers.add('CORDON_EVENTS', config);
  const messages = await (await js.consumers.get('CORDON_EVENTS', 'bench')).consume({ max_messages: 16 });
  const latencies: number[] = [];
  const reading = (async () => {
    for await (const message of messages) {
      latencies.push(performance.now() - Number(message.string().slice(0, 24)));
      message.ack();
    }
  })();
  const padding = 'x'.repeat(3000);
  const published: Promise<unknown>[] = [];
  await steadily(seconds, () => {
    published.push(js.publish(BARE_SUBJECT, `${performance.now()}`.padEnd(24, ' ') + padding));
  });
  await Promise.all(published);
  await eventually(() => (latencies.length >= published.length ? true : undefined), 'the bare messages');
  await messages.close();
  await reading;
  await jsm.consumers.delete('CORDON_EVENTS', 'bench');
  await connection.close();
  return latencies.slice(PER_SECOND);
}

/** Acts `PER_SECOND` times a second, on time however late a timer was. */
async function steadily(seconds: number, act: (index: number) => void): Promise<void> {
  const start = performance.now();
  for (let index = 0; index < seconds * PER_SECOND; index++) {
    act(index);
    await delay(Math.max(0, start + ((index + 1) * 1000) / PER_SECOND - performance.now()));
  }
}
