import { z } from 'zod';
import { defineEvent, type EventOf } from './event.ts';

/** Identity is issuer and subject; the rest is how the person was called at that time. */
export const Person = z.object({
  issuer: z.string().max(512),
  subject: z.string().max(255),
  name: z.string().max(255),
  email: z.string().max(320).optional(),
});
export type Person = z.infer<typeof Person>;

/** The team was asked "isolate this machine?". At most one such question is open per endpoint. */
export const ApprovalRequested = defineEvent(
  'approval.requested',
  z.object({
    incidentId: z.string(),
    expiresAt: z.iso.datetime(),
    votesNeeded: z.int().positive(),
    /** Why policy asks for this, as a sentence for people. */
    why: z.string(),
  }),
);
export type ApprovalRequested = EventOf<typeof ApprovalRequested>;

/** The question ended: somebody decided, or nobody did in time. Expiry never isolates. */
export const ApprovalDecided = defineEvent(
  'approval.decided',
  z.object({
    incidentId: z.string(),
    outcome: z.enum(['isolate', 'leave', 'expired']),
    decidedBy: Person.optional().describe('Absent when the question expired.'),
    channel: z.enum(['page', 'timer']),
    reason: z.string().max(500).optional(),
    /** SHA-256 over exactly the facts the person saw. */
    factsDigest: z.string().optional(),
    /** Until then the same findings on this endpoint are counted and shown, but not asked about again. */
    quietUntil: z.iso.datetime(),
  }),
);
export type ApprovalDecided = EventOf<typeof ApprovalDecided>;
