import { list, port } from '@cordon/service';
import { z } from 'zod';

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
};
