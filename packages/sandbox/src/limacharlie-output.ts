import { createHmac } from 'node:crypto';
import { request } from 'undici';
import { z } from 'zod';

/** The output of module `webhook`: where detections go, the key of their signature, and the form of the body. */
export const Webhook = z.strictObject({
  url: z.url(),
  secret: z.string().min(1),
  body: z.enum(['json', 'form']).default('json').describe('Both forms are documented; which one is current is not.'),
});
export type Webhook = z.infer<typeof Webhook>;

export type Delivery =
  | { delivered: true; status: number }
  | { delivered: false; reason: 'no webhook' | 'paused' | 'failed' | 'not published'; status?: number; error?: string };

/**
 * Sends records to a webhook the way LimaCharlie does: signed, once each, and after a failure not at all for `pauseMs`.
 *
 * What falls into the pause is not sent later. Configuring the output again ends the pause (LimaCharlie docs: "Testing
 * Outputs"). A failure is any answer but 2xx, no answer within `timeoutMs`, or no connection; it is returned, not thrown.
 */
export function startOutput({ pauseMs, timeoutMs = 10_000 }: { pauseMs: number; timeoutMs?: number }) {
  let webhook: Webhook | undefined;
  let pausedUntil = 0;
  const closing = new AbortController();

  async function post({ url, secret, body }: Webhook, record: unknown): Promise<Delivery> {
    const text = JSON.stringify(record);
    const response = await request(url, {
      method: 'POST',
      body: body === 'json' ? text : new URLSearchParams({ data: text }).toString(),
      headers: {
        'content-type': body === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
        // Over the JSON text in both forms: in a form it is the decoded value of `data` that is signed.
        'Lc-Signature': createHmac('sha256', secret).update(text).digest('hex'),
      },
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)]),
      reset: true, // a receiver that was restarted meanwhile must not look like a failing one
    });
    await response.body.dump();
    const status = response.statusCode;
    return status >= 200 && status < 300 ? { delivered: true, status } : { delivered: false, reason: 'failed', status };
  }

  return {
    configure: (next: z.input<typeof Webhook> | undefined): void => {
      webhook = next && Webhook.parse(next);
      pausedUntil = 0;
    },
    async deliver(record: unknown): Promise<Delivery> {
      if (!webhook) return { delivered: false, reason: 'no webhook' };
      if (Date.now() < pausedUntil) return { delivered: false, reason: 'paused' };
      const delivery = await post(webhook, record).catch((error: unknown): Delivery => ({
        delivered: false,
        reason: 'failed',
        error: String(error),
      }));
      if (!delivery.delivered) pausedUntil = Date.now() + pauseMs;
      return delivery;
    },
    isPaused: (): boolean => Date.now() < pausedUntil,
    close: (): void => closing.abort(),
  };
}
