import { ConfigurationError, list, port } from '@cordon/service';
import { z } from 'zod';

const Url = z.url({ protocol: /^https?$/ });

/** What ingest reads from the environment, beside the settings that every service has. */
export const settings = {
  PORT: port(8080),
  /** The `secret_key` of the LimaCharlie output. While it is being changed, the old and the new one, in any order. */
  LIMACHARLIE_WEBHOOK_SECRETS: list().pipe(z.array(z.string()).min(1, 'needs at least one secret')),
  /** Of a request's body as received, and once more of what a compressed one inflates to. */
  BODY_LIMIT_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .max(64 * 1024 * 1024)
    .default(1024 * 1024),
  /** The organisation whose detections are asked for. */
  LIMACHARLIE_OID: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be the id of an organisation (a UUID)')
    .optional(),
  /** Turns gap filling on. A key with `insight.det.get` and nothing else, not the executor's. */
  LIMACHARLIE_API_KEY: z.string().min(1).optional(),
  LIMACHARLIE_API_URL: Url.default('https://api.limacharlie.io'),
  LIMACHARLIE_JWT_URL: Url.default('https://jwt.limacharlie.io'),
  /** Only detections of rules with one of these tags are fetched: what the output's `rule_tag_white_list` says. */
  BACKFILL_RULE_TAGS: list().default([]),
  /** How often LimaCharlie is asked when nothing is known to have gone wrong. */
  BACKFILL_MINUTES: z.coerce
    .number()
    .min(0.1)
    .max(24 * 60)
    .default(10),
};
export type Config = z.output<z.ZodObject<typeof settings>>;

export type BackfillSettings = {
  oid: string;
  apiKey: string;
  apiUrl: string;
  jwtUrl: string;
  ruleTags: string[];
  intervalMs: number;
};

/**
 * What gap filling needs, or nothing where it is off. The key is the switch: an organisation alone (it is no secret, and
 * stands in a shared environment) asks for nothing, but a key without one is a mistake. Throws `ConfigurationError`.
 */
export function backfillOf(config: Config): BackfillSettings | undefined {
  const { LIMACHARLIE_OID: oid, LIMACHARLIE_API_KEY: apiKey } = config;
  if (apiKey === undefined) return undefined;
  if (oid === undefined) {
    throw new ConfigurationError('  LIMACHARLIE_OID: is required where LIMACHARLIE_API_KEY is given');
  }
  return {
    oid,
    apiKey,
    apiUrl: config.LIMACHARLIE_API_URL,
    jwtUrl: config.LIMACHARLIE_JWT_URL,
    ruleTags: config.BACKFILL_RULE_TAGS,
    intervalMs: config.BACKFILL_MINUTES * 60_000,
  };
}
