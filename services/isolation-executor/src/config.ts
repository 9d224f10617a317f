import { list, verificationKeys } from '@cordon/service';
import { z } from 'zod';

const Url = z.url({ protocol: /^https?$/ });

export const settings = {
  LIMACHARLIE_OID: z.string().min(1),
  LIMACHARLIE_API_KEY: z.string().min(1),
  LIMACHARLIE_API_URL: Url.default('https://api.limacharlie.io'),
  LIMACHARLIE_JWT_URL: Url.default('https://jwt.limacharlie.io'),
  /** Whose decisions are carried out: the public half of approval's DECISION_SIGNING_KEY. */
  DECISION_PUBLIC_KEYS: verificationKeys(),
  /** Protected endpoints and blast radius. Left out: the built-in policy. */
  POLICY_FILE: z.string().min(1).optional(),
  /** Host names (globs, without regard to case) that are never isolated, whoever decides it. */
  PROTECTED_HOSTS: list().default([]),
  /** Does everything but the call that changes a machine. */
  DRY_RUN: z.stringbool().default(false),
  /** A decision older than this is not carried out any more. */
  DECISION_MAX_AGE_MINUTES: z.coerce.number().positive().default(60),
  /** How often to look at a sensor that is expected to confirm any moment, and at one that is offline. */
  CONFIRM_POLL_SECONDS: z.coerce.number().positive().default(2),
  OFFLINE_POLL_SECONDS: z.coerce.number().positive().default(10),
  /** How often to look whether an isolated machine still is. */
  DRIFT_POLL_SECONDS: z.coerce.number().positive().max(50).default(20),
  /** After this long online without a confirmation, people are told. */
  CONFIRM_TIMEOUT_SECONDS: z.coerce.number().positive().default(120),
};
export type Config = z.infer<z.ZodObject<typeof settings>>;
