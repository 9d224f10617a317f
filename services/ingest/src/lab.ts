import { createHmac, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { type Bus, connectBus, CONSUMERS, Quarantined } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { startBroker } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { Registry } from 'prom-client';
import { serveWebhooks, type WebhookServerOptions } from './server.ts';
import { createKeeper, type Store } from './store.ts';

export const SECRET = 'the-webhook-secret';
type Options = Partial<Omit<WebhookServerOptions, 'keeper'>> & { wrap?: (bus: Bus) => Store };
type Answer = { status: number; headers: Headers; body: unknown };

/** For tests: a webhook server before a real broker, and everything that reaches the log and the quarantine. */
export async function startLab({ wrap = (bus) => bus, ...own }: Options = {}) {
  const broker = await startBroker();
  const logLines: string[] = [];
  const log = createLogger('ingest', 'info', { write: (line) => void logLines.push(line) });
  const bus = await connectBus({ url: broker.url, name: 'ingest', log });
  const metrics = new Registry();
  const server = await serveWebhooks({
    keeper: createKeeper({ bus: wrap(bus), log, metrics }),
    secrets: [SECRET],
    host: '127.0.0.1',
    port: 0,
    bodyLimitBytes: 1024 * 1024,
    log,
    metrics,
    ...own,
  });
  const events: StoredEvent[] = [];
  const quarantine: Quarantined[] = [];
  await bus.consumeEvents(CONSUMERS.ask, async (event) => void events.push(event));
  await bus.consumeAside(CONSUMERS.quarantined, Quarantined, async (record) => void quarantine.push(record));

  /** Sends a body, signed unless a signature is given. */
  async function post(body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${server.port}/webhooks/limacharlie`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'lc-signature': sign(body), ...headers },
      body: new Uint8Array(Buffer.from(body)),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  /** What became of everything sent so far, read up to a last detection and a last quarantined record. */
  async function stored() {
    const last = aRecord();
    await post(JSON.stringify(last));
    const nothing = JSON.stringify({ last: last.detect_id });
    await post(nothing);
    const isLast = (event: StoredEvent) => rawOf(event) === JSON.stringify(last);
    for (const deadline = Date.now() + 10_000; ;) {
      const done = events.some(isLast) && quarantine.some((record) => textOf(record) === nothing);
      if (done) break;
      if (Date.now() > deadline) throw new Error('what was sent last never came');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return {
      detections: events.filter((event) => !isLast(event)),
      quarantined: quarantine.filter((record) => textOf(record) !== nothing),
    };
  }

  return {
    broker,
    port: server.port,
    post,
    stored,
    logLines,
    metric: async (name: string) => (await metrics.getSingleMetric(name)?.get())?.values ?? [],
    async [Symbol.asyncDispose]() {
      await server.close();
      await bus.close();
      await broker[Symbol.asyncDispose]();
    },
  };
}

/** For tests: a detection of its own, made now. */
export function aRecord(changes: Record<string, unknown> = {}) {
  return {
    cat: 'HackTool - LaZagne',
    detect: { event: { COMMAND_LINE: '"C:\\x\\LaZagne.exe" all', FILE_PATH: 'C:\\x\\LaZagne.exe', PROCESS_ID: 1 } },
    detect_id: randomUUID(),
    detect_mtd: { level: 'high' },
    gen_time: Date.now(),
    routing: { oid: randomUUID(), sid: randomUUID(), hostname: 'workstation-01', plat: 268_435_456 },
    ...changes,
  };
}

/** For tests: LimaCharlie's signature. */
export function sign(body: string | Buffer, secret = SECRET): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

/** For tests: the record behind an event, as it was received. */
export function rawOf(event: StoredEvent | undefined): string {
  return event?.type === 'detection.raised' ? event.data.raw.body : '';
}

/** For tests: the record in quarantine, as text. */
export function textOf(record: Quarantined | undefined): string {
  return Buffer.from(record?.body ?? '', 'base64').toString();
}

/** For tests: what comes back over a bare socket, until the server closes it or a whole answer is there. */
export function rawRequest(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(request));
    let answer = '';
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (/\r\n\r\n\{.*\}$/s.test(answer)) socket.destroy();
    });
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}
