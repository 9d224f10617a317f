import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { faultQueue, type Faults } from './faults.ts';
import type { SocketMode } from './slack-socket-mode.ts';

const times = z.int().positive().optional();
/** What goes wrong between Slack and the app: it is away, what was sent comes late, or it comes twice. */
export const DeliveryFault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('away'), times }),
  z.strictObject({ kind: z.literal('slow'), delayMs: z.int().positive(), times }),
  z.strictObject({ kind: z.literal('twice'), times }),
]);
export type DeliveryFault = z.infer<typeof DeliveryFault>;

/** What the app answered, or what Slack shows to who pressed. */
export type Delivered = { ok: true; answer: unknown } | { ok: false; error: string };

/** Slack waits no longer for an answer. */
const ANSWER_MS = 3_000;

/** The header `X-Slack-Signature`, version 0. */
export function signSlack(secret: string, timestamp: string, body: string): string {
  return `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
}

export interface Delivery {
  readonly faults: Faults<DeliveryFault>;
  setUrl(url: string | undefined): void;
  /** Whether there is anybody to deliver to. */
  hasApp(): boolean;
  deliver(payload: object): Promise<Delivered>;
  close(): void;
}

/** Takes payloads to the app: over a socket where it has one open, otherwise signed to its address. */
export function createDelivery(sockets: SocketMode, signingSecret: string): Delivery {
  const faults = faultQueue<DeliveryFault>();
  const closing = new AbortController();
  let url: string | undefined;

  async function post(to: string, payload: object): Promise<Delivered> {
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const response = await fetch(to, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
        'x-slack-request-timestamp': timestamp,
        'x-slack-signature': signSlack(signingSecret, timestamp, body),
      },
      redirect: 'manual',
      signal: closing.signal,
    });
    const text = await response.text();
    if (!response.ok) return { ok: false, error: `This app responded with status code ${response.status}.` };
    return { ok: true, answer: text === '' ? undefined : JSON.parse(text) };
  }

  async function send(payload: object): Promise<Delivered> {
    const fault = faults.take(() => true);
    if (fault?.kind === 'away') return { ok: false, error: 'This app did not respond.' };
    if (fault?.kind === 'slow') await delay(fault.delayMs, undefined, { signal: closing.signal });
    const once = async (): Promise<Delivered> => {
      if (sockets.count() > 0) return { ok: true, answer: await sockets.send(payload) };
      return url === undefined ? { ok: false, error: 'This app is not configured.' } : post(url, payload);
    };
    const first = once();
    if (fault?.kind === 'twice') await Promise.all([first, once()]);
    return first;
  }

  return {
    faults,
    setUrl: (to) => void (url = to),
    hasApp: () => url !== undefined || sockets.count() > 0,
    async deliver(payload) {
      // What is late still arrives: only who pressed no longer waits for it.
      const sent = send(payload).catch((): Delivered => ({ ok: false, error: 'This app did not respond.' }));
      const late = delay(ANSWER_MS, undefined, { ref: false }).then((): Delivered => ({
        ok: false,
        error: 'This app took too long to respond.',
      }));
      return Promise.race([sent, late]);
    },
    close: () => closing.abort(),
  };
}
