import { callbackify } from 'node:util';
import { isConflict } from '@cordon/bus';
import { Person, sha256 } from '@cordon/contracts';
import type { SessionStore } from '@fastify/session';
import type { Session } from 'fastify';
import { z } from 'zod';

export const SESSION_COOKIE = '__Host-cordon_sid';

/** Who is signed in, and when they last proved it. Times are epoch milliseconds. */
const SignedIn = z.object({
  person: Person,
  role: z.enum(['viewer', 'approver']),
  groups: z.array(z.string()),
  authenticatedAt: z.number(),
  signedInAt: z.number(),
});
export type SignedIn = z.infer<typeof SignedIn>;

/** A choice that waits for its owner to sign in again. */
const PendingChoice = z.object({
  incidentId: z.string(),
  choice: z.enum(['isolate', 'leave', 'release']),
  reason: z.string(),
  /** Of the facts that were decided on. */
  digest: z.string().optional(),
  at: z.number(),
});
export type PendingChoice = z.infer<typeof PendingChoice>;

declare module 'fastify' {
  interface Session {
    signedIn?: SignedIn | undefined;
    pendingChoice?: PendingChoice | undefined;
    /** What a passkey that is being added has to sign. */
    passkeyChallenge?: string | undefined;
  }
}

/** What is kept of a session. The cookie's other attributes come from the settings of today. */
const Stored = z.object({
  cookie: z.object({ originalMaxAge: z.number().nullable(), expires: z.coerce.date() }),
  signedIn: SignedIn.optional(),
  pendingChoice: PendingChoice.optional(),
  passkeyChallenge: z.string().optional(),
});

/** The few calls of a key-value bucket that sessions need. */
export type Bucket = {
  get(key: string): Promise<{ operation: string; revision: number; string(): string } | null>;
  create(key: string, value: string): Promise<unknown>;
  update(key: string, value: string, revision: number): Promise<unknown>;
  delete(key: string): Promise<unknown>;
};

/**
 * Sessions outlive a restart, so that nobody has to sign in again at the worst moment. The key is a digest of the
 * session id: who can read the bucket cannot take a session over.
 */
export function sessionStore(bucket: Bucket): SessionStore {
  return {
    get: callbackify((id: string) => findSession(bucket, id)),
    set: callbackify((id: string, session: Session) => putSession(bucket, id, session)),
    destroy: callbackify(async (id: string) => void (await bucket.delete(sha256(id)))),
  };
}

/** The session with this id, or nothing where it ended or is of a shape that nobody knows any more. */
export async function findSession(bucket: Bucket, id: string): Promise<Session | null> {
  const entry = await bucket.get(sha256(id));
  return entry?.operation === 'PUT' ? (Stored.safeParse(JSON.parse(entry.string())).data ?? null) : null;
}

/** An id that was given up never comes back: a page still loading while its reader signs out must not undo that. */
async function putSession(bucket: Bucket, id: string, session: Session): Promise<void> {
  const [key, value] = [sha256(id), JSON.stringify(session)];
  for (;;) {
    const entry = await bucket.get(key);
    if (entry && entry.operation !== 'PUT') return;
    try {
      await (entry ? bucket.update(key, value, entry.revision) : bucket.create(key, value));
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}
