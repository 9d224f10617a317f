import { request } from 'undici';
import { z } from 'zod';
import { EdrDenied, type EdrError, EdrRateLimited, EdrRejected, EdrUnavailable } from './errors.ts';

/** One request. `form` is sent form-encoded, as LimaCharlie takes bodies; a list is a repeated key. */
export type Call = { method: 'GET' | 'POST' | 'DELETE'; url: string; form?: Record<string, string>; token?: string };
export type Answer = { status: number; header(name: string): string | undefined; text: string };

const ErrorReply = z.object({ error: z.string() });
const DEFAULT_RETRY_AFTER_MS = 60_000;
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/**
 * Sends one request and reads the whole answer, of whatever status. Follows no redirect: a token goes where it is meant
 * to go. Throws `EdrUnavailable` where no complete answer came within `timeoutMs`.
 */
export async function exchange({ method, url, form, token }: Call, timeoutMs: number): Promise<Answer> {
  try {
    const { statusCode, headers, body } = await request(url, {
      method,
      headers: {
        accept: 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(form && { body: new URLSearchParams(form).toString() }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const header = (name: string): string | undefined => [headers[name] ?? []].flat()[0];
    return { status: statusCode, header, text: await body.text() };
  } catch (error) {
    const reason = error instanceof Error ? error.message || error.name : String(error);
    throw new EdrUnavailable(`LimaCharlie cannot be reached (${method} ${pathOf(url)}): ${reason}`, { cause: error });
  }
}

/** The reply as `schema` wants it. Throws `EdrUnavailable` where it is no JSON (a proxy's page), else `EdrRejected`. */
export function parseReply<T>(schema: z.ZodType<T>, call: Call, answer: Answer): T {
  let json: unknown;
  try {
    json = JSON.parse(answer.text);
  } catch {
    throw new EdrUnavailable(`The answer to ${call.method} ${pathOf(call.url)} is not LimaCharlie's: it is no JSON.`);
  }
  const { success, data, error } = schema.safeParse(json);
  if (success) return data;
  throw new EdrRejected(
    `Cordon does not understand LimaCharlie's answer to ${call.method} ${pathOf(call.url)}: ${z.prettifyError(error)}`,
    answer.status,
  );
}

/**
 * What an answer other than 200 means. LimaCharlie docs (API keys, rate limits): 401 and 403 name the missing
 * permission, a 429 carries `X-RateLimit-Period` in seconds, errors are `{"error": text}`, which is not guaranteed.
 */
export function failureOf(call: Call, answer: Answer, secrets: readonly string[]): EdrError {
  const what = `${call.method} ${pathOf(call.url)}`;
  const said = `LimaCharlie answered ${what} with ${answer.status}: ${errorText(answer.text, secrets)}`;
  if (answer.status === 401 || answer.status === 403) {
    return new EdrDenied(`${said}. The API key needs the permissions sensor.get, sensor.list and sensor.task.`);
  }
  if (answer.status === 429) return new EdrRateLimited(said, retryAfterMs(answer));
  if (answer.status === 408 || answer.status >= 500) return new EdrUnavailable(said);
  return new EdrRejected(said, answer.status);
}

function errorText(text: string, secrets: readonly string[]): string {
  let said = text;
  try {
    const reply = ErrorReply.safeParse(JSON.parse(text));
    if (reply.success) said = reply.data.error;
  } catch {
    // not JSON: the text itself is all there is
  }
  for (const secret of secrets) said = said.replaceAll(secret, '[redacted]');
  return said.trim().slice(0, 300) || 'no explanation';
}

function retryAfterMs(answer: Answer): number {
  const seconds = Number(answer.header('x-ratelimit-period') ?? answer.header('retry-after') ?? Number.NaN);
  if (!Number.isFinite(seconds) || seconds < 0) return DEFAULT_RETRY_AFTER_MS;
  return Math.min(seconds * 1000, LONGEST_RETRY_AFTER_MS);
}

/** Without host and query: enough to tell which call it was. */
function pathOf(url: string): string {
  return new URL(url).pathname;
}
