import { z } from 'zod';

/** An authentic record that nobody could understand, kept whole until a parser can. */
export const Quarantined = z.object({
  problem: z.string(),
  receivedAt: z.iso.datetime(),
  mediaType: z.string(),
  sha256: z.string(),
  /** The exact bytes. */
  body: z.base64(),
});
export type Quarantined = z.infer<typeof Quarantined>;

/** What a worker gave up on, with everything needed to understand and repeat it. */
export const DeadLetter = z.object({
  stream: z.string(),
  consumer: z.string(),
  subject: z.string(),
  seq: z.int(),
  attempts: z.int(),
  reason: z.string(),
  stack: z.string().optional(),
  headers: z.record(z.string(), z.string()),
  payload: z.base64(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;
