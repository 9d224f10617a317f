import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { SubjectToken } from '@cordon/contracts';
import { z } from 'zod';
import { EdrRejected, EdrUnavailable } from './errors.ts';
import { type Answer, type Call, exchange, failureOf, parseReply } from './exchange.ts';
import { parseWebhook, type WebhookRecord } from './parse-webhook.ts';
import { isIsolatable, platformName, platformOf } from './platform.ts';
import { createTokens } from './token.ts';

export type LimaCharlieOptions = {
  apiUrl?: string;
  jwtUrl?: string;
  /** The organisation. */
  oid: string;
  apiKey: string;
  /** For one request and its whole answer. A call takes at most `attempts` times that, and 1, 2, 4 s between attempts. */
  timeoutMs?: number;
  attempts?: number;
  log: { warn(fields: object, message: string): void };
};

/** A machine as LimaCharlie knows it. */
export type Sensor = {
  sid: string;
  /** The sensor id where LimaCharlie has no name. */
  hostname: string;
  plat: number | undefined;
  /** `windows`, `linux`, `macos`, `ios`, `android`, `chrome`; `adapter` for a log source, `unknown` where not said. */
  platformName: string;
  /** Whether there is a machine behind it that can be isolated. */
  isEndpoint: boolean;
  online: boolean;
  /** What the sensor reports. */
  isolated: boolean;
  /** What the cloud was asked for. */
  shouldIsolate: boolean;
  tags?: string[];
};
/** LimaCharlie docs: `isIsolated` is the state in force on the endpoint, `shouldIsolate` only the wish in the cloud. */
export type Isolation = { isIsolated: boolean; shouldIsolate: boolean };
export type Identity = { ident: string | undefined; permissions: string[] };
/** `nextCursor` continues after this page, also in a later process; it is absent on the last one. */
export type DetectionPage = { records: WebhookRecord[]; nextCursor: string | undefined };

/** LimaCharlie's REST API, as far as Cordon needs it. Every method throws an `EdrError`, and nothing else. */
export interface LimaCharlieClient {
  /** Undefined where the organisation has no such sensor. */
  findSensor(sid: string): Promise<Sensor | undefined>;
  isolationOf(sid: string): Promise<Isolation>;
  /** Asks for isolation. Returning means accepted, not isolated; an offline sensor follows when it is back. */
  isolate(sid: string): Promise<void>;
  /** Asks for the way back. Harmless where the sensor is not isolated, as `isolate` is where it is. */
  rejoin(sid: string): Promise<void>;
  isOnline(sid: string): Promise<boolean>;
  /** How many sensors the organisation has; needs `sensor.list`. */
  countSensors(): Promise<number>;
  /** Who the API key is, and what it may do. */
  whoAmI(): Promise<Identity>;
  /** Past detections, made from `start` on and before `end`, page by page; needs `insight.det.get`. */
  detections(range: { start: Date; end: Date }, cursor?: string): AsyncGenerator<DetectionPage, void>;
}

const SensorReply = z.object({
  info: z.object({
    plat: z.unknown().optional(),
    arch: z.int().optional().catch(undefined),
    hostname: z.string().min(1).optional().catch(undefined),
    // The same fact has two names in LimaCharlie's own clients: `isolated` in Go, `is_isolated` in Python.
    is_isolated: z.boolean().optional(),
    isolated: z.boolean().optional(),
    should_isolate: z.boolean().default(false),
    tags: z.array(z.string()).optional().catch(undefined),
  }),
  online: z.unknown().optional(),
  is_online: z.unknown().optional(),
});
const IsolationReply = z
  .object({ is_isolated: z.boolean().optional(), isolated: z.boolean().optional(), should_isolate: z.boolean() })
  .transform(({ is_isolated, isolated, should_isolate }, context): Isolation => {
    const isIsolated = is_isolated ?? isolated;
    if (isIsolated !== undefined) return { isIsolated, shouldIsolate: should_isolate };
    context.addIssue({ code: 'custom', message: 'neither is_isolated nor isolated is there' });
    return z.NEVER;
  });
const AnyReply = z.record(z.string(), z.unknown());
const WhoReply = z.object({
  ident: z.string().optional().catch(undefined),
  perms: z.array(z.string()).optional().catch(undefined),
  // A user's key lists permissions by organisation.
  user_perms: z.record(z.string(), z.array(z.string())).optional().catch(undefined),
});
const SensorsReply = z.object({ sensors: z.string().nullish(), continuation_token: z.string().nullish() });
const PageReply = z.object({ detects: z.string().nullish(), next_cursor: z.string().nullish() });
const LARGEST_PAGE_BYTES = 256 * 1024 * 1024;

/** A client for one organisation. Connects to nothing until it is used, and has nothing to close. */
export function limaCharlie(options: LimaCharlieOptions): LimaCharlieClient {
  const { oid, apiKey, timeoutMs = 15_000, attempts = 3, log } = options;
  // With or without the version: both are found in documents.
  const base = (options.apiUrl ?? 'https://api.limacharlie.io').replace(/\/+$/, '').replace(/\/v1$/, '');
  const jwtUrl = options.jwtUrl ?? 'https://jwt.limacharlie.io';
  const tokens = createTokens({ jwtUrl, oid, apiKey, timeoutMs });

  /** A 401 is an expired token or a missing permission: the token is renewed once, and the second 401 is believed. */
  async function attempt(call: Call): Promise<Answer> {
    const token = await tokens.get();
    const answer = await exchange({ ...call, token }, timeoutMs);
    if (answer.status !== 401) return settled(call, answer, token);
    tokens.drop(token);
    const fresh = await tokens.get();
    return settled(call, await exchange({ ...call, token: fresh }, timeoutMs), fresh);
  }

  /** Both SDKs of LimaCharlie take exactly 200 for success. A 404 is for the caller to judge. */
  function settled(call: Call, answer: Answer, token: string): Answer {
    if (answer.status === 200 || answer.status === 404) return answer;
    throw failureOf(call, answer, [apiKey, token]);
  }

  /** Every call here may be repeated: reads, and wishes that set a flag. */
  async function answerTo(call: Call): Promise<Answer> {
    for (let count = 1; ; count++) {
      try {
        return await attempt(call);
      } catch (error) {
        if (!(error instanceof EdrUnavailable) || count >= attempts) throw error;
        const delayMs = 1000 * 2 ** (count - 1);
        log.warn({ err: error, attempt: count, delayMs }, 'LimaCharlie not available, trying again');
        await delay(delayMs);
      }
    }
  }

  async function replyTo<T>(
    schema: z.ZodType<T>,
    method: Call['method'],
    path: string,
    form?: Call['form'],
  ): Promise<T> {
    const call: Call = { method, url: base + path, ...(form && { form }) };
    const answer = await answerTo(call);
    if (answer.status === 404) throw failureOf(call, answer, [apiKey]);
    return parseReply(schema, call, answer);
  }

  return {
    async findSensor(sid) {
      const call: Call = { method: 'GET', url: base + pathOf(sid) };
      const answer = await answerTo(call);
      return answer.status === 404 ? undefined : sensorOf(sid, parseReply(SensorReply, call, answer));
    },
    isolationOf: async (sid) => replyTo(IsolationReply, 'GET', `${pathOf(sid)}/isolation`),
    // The reply of both is an empty object: what became of the wish is told by `isolationOf` alone.
    async isolate(sid) {
      await replyTo(AnyReply, 'POST', `${pathOf(sid)}/isolation`);
    },
    async rejoin(sid) {
      await replyTo(AnyReply, 'DELETE', `${pathOf(sid)}/isolation`);
    },
    async isOnline(sid) {
      const reply = await replyTo(AnyReply, 'POST', `/v1/online/${oid}`, { sids: sid });
      return reply[sid] === true;
    },
    async countSensors() {
      let count = 0;
      for (let token = ''; ;) {
        const query = { limit: '2000', is_compressed: 'true', ...(token && { continuation_token: token }) };
        const path = `/v1/sensors/${oid}?${new URLSearchParams(query).toString()}`;
        const { sensors, continuation_token: next } = await replyTo(SensorsReply, 'GET', path);
        count += (await recordsOf(sensors ?? '')).length;
        if (!next || next === token) return count;
        token = next;
      }
    },
    async whoAmI() {
      const { ident, perms, user_perms } = await replyTo(WhoReply, 'GET', '/v1/who');
      return { ident, permissions: perms ?? user_perms?.[oid] ?? [] };
    },
    async *detections({ start, end }, cursor = '-') {
      for (let at = cursor; ;) {
        const query = { start: epochSeconds(start), end: epochSeconds(end), cursor: at, is_compressed: 'true' };
        const path = `/v1/insight/${oid}/detections?${new URLSearchParams(query).toString()}`;
        const { detects, next_cursor } = await replyTo(PageReply, 'GET', path);
        const nextCursor = next_cursor && next_cursor !== at ? next_cursor : undefined;
        yield { records: await recordsOf(detects ?? ''), nextCursor };
        if (nextCursor === undefined) return;
        at = nextCursor;
      }
    },
  };
}

function epochSeconds(date: Date): string {
  return String(Math.floor(date.getTime() / 1000));
}

/** Only what is an id gets into a path. */
function pathOf(sid: string): string {
  if (SubjectToken.safeParse(sid).success) return `/v1/${sid}`;
  throw new EdrRejected('That is no sensor id: it takes letters, digits and hyphens.', 400);
}

function sensorOf(sid: string, { info, online, is_online }: z.infer<typeof SensorReply>): Sensor {
  const plat = platformOf(info.plat);
  return {
    sid,
    hostname: info.hostname ?? sid,
    plat,
    platformName: platformName(plat),
    isEndpoint: isIsolatable(plat, info.arch),
    online: typeof is_online === 'boolean' ? is_online : isOnlineObject(online),
    isolated: info.is_isolated ?? info.isolated ?? false,
    shouldIsolate: info.should_isolate,
    ...(info.tags && { tags: info.tags }),
  };
}

/** LimaCharlie's Python SDK: online is who has a non-empty `online` without the key `error`. */
function isOnlineObject(online: unknown): boolean {
  return typeof online === 'object' && online !== null && Object.keys(online).length > 0 && !('error' in online);
}

/** LimaCharlie docs (insight): with `is_compressed` a list is the base64 of the gzip of a JSON array. */
async function recordsOf(detects: string): Promise<WebhookRecord[]> {
  if (detects === '') return [];
  try {
    const bytes = await promisify(gunzip)(Buffer.from(detects, 'base64'), { maxOutputLength: LARGEST_PAGE_BYTES });
    const text = bytes.toString('utf8');
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.length > 0 ? parseWebhook(text) : [];
  } catch (error) {
    throw new EdrRejected('LimaCharlie sent a page of detections that is no compressed JSON.', 200, { cause: error });
  }
}
