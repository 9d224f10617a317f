import { z } from 'zod';
import { defineEvent, type EventOf } from './event.ts';
import { Signature } from './signature.ts';

/** Identity is issuer and subject; the rest is how the person was called at that time. */
export const Person = z.object({
  issuer: z.string().max(512),
  subject: z.string().max(255),
  name: z.string().max(255),
  email: z.string().max(320).optional(),
  /** The account name at the identity provider, to be compared with accounts on endpoints. */
  username: z.string().max(255).optional(),
});
export type Person = z.infer<typeof Person>;

/** Mail addresses and the ids of Slack users, exactly: what stands here decides who is written to. */
export const Contacts = z.object({
  mail: z.array(z.email().max(254)),
  slack: z.array(z.string().regex(/^[UW][0-9A-Z]{2,}$/)),
});
export type Contacts = z.infer<typeof Contacts>;

/**
 * What policy said about a question when it was asked. It stays so for this question, whatever becomes of the policy.
 */
export const Terms = z.object({
  /** The policy's own digest. */
  policyVersion: z.string(),
  tier: z.string(),
  /** Groups whose members may decide. */
  deciders: z.array(z.string()),
  remindAt: z.array(z.iso.datetime()),
  escalate: z.array(Contacts.extend({ at: z.iso.datetime() })),
  /** Who hears of the question where the usual channel could not be reached. */
  contacts: Contacts,
  slackDecides: z.boolean(),
  /** Whether a yes has to be signed by a passkey. */
  passkey: z.boolean(),
  /** How long after the sensor's confirmation the machine is released by itself; absent: never. */
  releaseAfterMs: z.int().positive().optional(),
  /** How long the same finding on the same endpoint is not asked about again after a decision. */
  quietMs: z.int().nonnegative(),
  /** How long a decision may wait to be carried out. */
  decisionValidMs: z.int().positive(),
});
export type Terms = z.infer<typeof Terms>;

/** Something that only more persons than usual can let through. */
const Override = z.enum(['blast_radius']);

/** The team was asked "isolate this machine?". At most one such question is open per endpoint. */
export const ApprovalRequested = defineEvent(
  'approval.requested',
  z.object({
    incidentId: z.string(),
    expiresAt: z.iso.datetime(),
    /** How many persons have to say yes; 0 where a rule of the policy decides. */
    votesNeeded: z.int().nonnegative(),
    /** Why policy asks for this, as a sentence for people. */
    why: z.string(),
    /** Absent in events of version 0.1. */
    terms: Terms.optional(),
    /** The guard that a yes to this question overrides. */
    override: Override.optional(),
    /** The policy's rule that answers by itself. */
    rule: z.string().optional(),
    signature: Signature.optional(),
  }),
);
export type ApprovalRequested = EventOf<typeof ApprovalRequested>;

/** One person's yes. */
export const Vote = z.object({
  person: Person,
  channel: z.enum(['page', 'slack']),
  at: z.iso.datetime(),
  reason: z.string().max(500).optional(),
  /** SHA-256 over exactly the facts this person saw. */
  factsDigest: z.string(),
  /** When the person last proved who they are. */
  authenticatedAt: z.iso.datetime().optional(),
  /** A passkey's signature over the facts, with all that is needed to check it: base64url throughout. */
  passkey: z
    .object({
      credentialId: z.string().max(2048),
      publicKey: z.string().max(2048),
      clientDataJSON: z.string().max(4096),
      authenticatorData: z.string().max(4096),
      signature: z.string().max(4096),
    })
    .optional(),
  /** Of the event that told of this vote. Absent where the decision itself tells of it, which is signed as a whole. */
  signature: Signature.optional(),
});
export type Vote = z.infer<typeof Vote>;

/** A yes was counted, and more are needed. The one that is enough is told by `approval.decided`. */
export const ApprovalVoted = defineEvent(
  'approval.voted',
  z.object({ incidentId: z.string(), vote: Vote, signature: Signature.optional() }),
);
export type ApprovalVoted = EventOf<typeof ApprovalVoted>;

/** Nobody decided so far, and people were reminded. */
export const ApprovalReminded = defineEvent(
  'approval.reminded',
  z.object({ incidentId: z.string(), count: z.int().positive(), expiresAt: z.iso.datetime() }),
);

/** Nobody decided, so others are told. */
export const ApprovalEscalated = defineEvent(
  'approval.escalated',
  z.object({
    incidentId: z.string(),
    because: z.enum(['unanswered', 'expired']),
    /** Which step this is, from 1. */
    count: z.int().positive(),
    to: Contacts,
  }),
);

/** The question ended: somebody decided, or nobody did in time. Expiry never isolates. */
export const ApprovalDecided = defineEvent(
  'approval.decided',
  z.object({
    incidentId: z.string(),
    outcome: z.enum(['isolate', 'leave', 'expired']),
    decidedBy: Person.optional().describe('Whose answer ended it. Absent when the question expired or a rule decided.'),
    channel: z.enum(['page', 'slack', 'timer', 'policy']),
    reason: z.string().max(500).optional(),
    /** SHA-256 over exactly the facts the person saw. */
    factsDigest: z.string().optional(),
    /** Until then the same findings on this endpoint are counted and shown, but not asked about again. */
    quietUntil: z.iso.datetime(),
    /** Everybody who said yes, in order. */
    votes: z.array(Vote).optional(),
    /** How many were needed. */
    votesNeeded: z.int().nonnegative().optional(),
    policyVersion: z.string().optional(),
    /** After this the decision is not carried out any more. */
    validUntil: z.iso.datetime().optional(),
    override: Override.optional(),
    /** The policy's rule that decided. */
    rule: z.string().optional(),
    signature: Signature.optional(),
  }),
);
export type ApprovalDecided = EventOf<typeof ApprovalDecided>;
