import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { startLimaCharlie, type LimaCharlieOptions, type LimaCharlieSandbox } from './limacharlie.ts';

export const oid = '8cbe27f4-1111-4111-8111-138cd51389cd';
export const apiKey = 'an-api-key';
export const sid = 'bb4b30af-3333-4333-8333-f014ada33345';
export const unknownSid = 'bb4b30af-3333-4333-8333-000000000000';
export const isolation = `/v1/${sid}/isolation`;

// The stand-in's own delays are long enough for what a test does before they end, on a busy machine too.
export const patience = { timeout: 10_000 };

export const start = (options: Partial<LimaCharlieOptions> = {}): Promise<LimaCharlieSandbox> =>
  startLimaCharlie({ oid, apiKey, sensors: [{ sid, hostname: 'WORKSTATION-01' }], isolationLagMs: 500, ...options });

export type Answer = { status: number; body: unknown; headers: Headers };
export type Call = (method: string, path: string, form?: [string, string][]) => Promise<Answer>;

export async function send(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const body = await response.text();
  return { status: response.status, headers: response.headers, body: body === '' ? undefined : JSON.parse(body) };
}

export const exchange = (cloud: LimaCharlieSandbox, form: Record<string, string>): Promise<Answer> =>
  send(cloud.jwtUrl, { method: 'POST', body: new URLSearchParams(form) });

export async function login(cloud: LimaCharlieSandbox): Promise<Call> {
  const { jwt } = z.object({ jwt: z.string() }).parse((await exchange(cloud, { oid, secret: apiKey })).body);
  return (method, path, form) =>
    send(`${cloud.apiUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${jwt}` },
      ...(form ? { body: new URLSearchParams(form) } : {}),
    });
}

export function unzip(list: unknown): unknown {
  return JSON.parse(gunzipSync(Buffer.from(z.string().parse(list), 'base64')).toString());
}
