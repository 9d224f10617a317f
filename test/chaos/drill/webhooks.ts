import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { DrillOptions } from './options.ts';
import type { Random } from './random.ts';
import type { Host, Stage } from './stage.ts';

/** What became of the webhooks, as the sender saw it. */
export type Load = {
  /** The ids of the detections that were answered with 2xx. */
  accepted: Set<string>;
  sent: number;
  /** Deliveries beyond the first that were wanted: a vendor that sends twice. */
  repeated: number;
  attempts: number;
  /** Attempts without 2xx, by what came instead. */
  refused: Map<string, number>;
  /** Webhooks begun per second, while they came. */
  rate: number;
};

const ANSWER_MS = 15_000;
const AGAIN_FIRST_MS = 250;
const AGAIN_LONGEST_MS = 3000;
/** Waves that share the time, where there are too few webhooks to fill it. */
const WAVES = 6;
const REPEATED_SHARE = 0.05;

/** Sends all webhooks at their time, and each again until it is accepted. `stop` ends the trying. */
export async function sendWebhooks(
  { system, hosts, oid }: Stage,
  { webhooks, rate, seconds }: DrillOptions,
  chance: Random,
  stop: AbortSignal,
): Promise<Load> {
  const { url, secret } = system.webhook;
  const dispatcher = new Agent({ connections: 64, headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
  const load: Load = { accepted: new Set(), sent: 0, repeated: 0, attempts: 0, refused: new Map(), rate: 0 };

  async function deliver(id: string, body: string): Promise<void> {
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    for (let attempt = 0; !stop.aborted; attempt++) {
      load.attempts++;
      const answer = await post(body, signature);
      if (answer === 'accepted') return void load.accepted.add(id);
      load.refused.set(answer, (load.refused.get(answer) ?? 0) + 1);
      await delay(Math.min(AGAIN_LONGEST_MS, AGAIN_FIRST_MS * 2 ** attempt) * (0.5 + Math.random()));
    }
  }

  async function post(body: string, signature: string): Promise<string> {
    try {
      const headers = { 'content-type': 'application/json', 'lc-signature': signature };
      const response = await request(url, { method: 'POST', headers, body, dispatcher });
      await response.body.dump();
      return response.statusCode >= 200 && response.statusCode < 300 ? 'accepted' : String(response.statusCode);
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : 'failed';
    }
  }

  const running: Promise<void>[] = [];
  const startedAt = Date.now();
  const waves = webhooks / rate < seconds / 1.2 ? WAVES : 1;
  const perWave = Math.ceil(webhooks / waves);
  let sendingMs = 0;
  for (let wave = 0; wave < waves; wave++) {
    const waveAt = startedAt + ((seconds * 1000) / waves) * wave;
    await delay(Math.max(0, waveAt - Date.now()));
    const begunAt = Date.now();
    for (let index = 0; index < perWave && load.sent < webhooks; index++) {
      const dueMs = begunAt + (index * 1000) / rate - Date.now();
      if (dueMs > 1) await delay(dueMs);
      const id = randomUUID();
      const body = JSON.stringify(detectionOn(hostFor(hosts, load.sent / webhooks, chance), oid, id));
      load.sent++;
      running.push(deliver(id, body));
      if (chance.next() < REPEATED_SHARE) {
        load.repeated++;
        const afterMs = chance.pick([0, 0, 3000, 20_000]);
        running.push(delay(afterMs).then(() => deliver(id, body)));
      }
    }
    sendingMs += Date.now() - begunAt;
  }
  load.rate = load.sent / (sendingMs / 1000);
  await Promise.all(running);
  await dispatcher.destroy();
  return load;
}

/** Machines come one after the other over the whole time, so that incidents open at any moment of it. */
function hostFor(hosts: Host[], progress: number, chance: Random): Host {
  const known = Math.min(hosts.length, 1 + Math.floor(progress * 1.15 * hosts.length));
  const isNewest = chance.next() < 0.2;
  const host = hosts[isNewest ? known - 1 : chance.whole(0, known)];
  if (!host) throw new Error('a drill needs machines');
  return host;
}

/** A detection record as LimaCharlie sends it. */
function detectionOn({ sid, hostname }: Host, oid: string, id: string): Record<string, unknown> {
  const now = Date.now();
  const event = {
    COMMAND_LINE: '"C:\\Temp\\LaZagne.exe" all',
    FILE_PATH: 'C:\\Temp\\LaZagne.exe',
    HASH: '3cc5ee93a9ba1fc57389705283b760c8bd61f35e9398bbfa3210e2becf6d4b05',
    PARENT: { FILE_PATH: 'C:\\Windows\\explorer.exe', PROCESS_ID: 988, USER_NAME: 'LAB\\parent' },
    PROCESS_ID: 3044,
    USER_NAME: 'LAB\\analyst',
  };
  const routing = {
    arch: 2,
    event_time: now,
    event_type: 'NEW_PROCESS',
    hostname,
    int_ip: '10.0.0.10',
    oid,
    plat: 268_435_456,
    sid,
    this: id.replaceAll('-', ''),
  };
  return { cat: 'HackTool - LaZagne', detect: { event }, detect_id: id, gen_time: now, routing };
}
