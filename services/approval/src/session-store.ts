import { sha256 } from '@cordon/contracts';
import type { SessionStore } from '@fastify/session';
import type { Session } from 'fastify';
import { z } from 'zod';

/** The few calls of a key-value bucket that sessions need. */
export type Bucket = {
  get(key: string): Promise<{ operation: string; string(): string } | null>;
  put(key: string, value: string): Promise<unknown>;
  delete(key: string): Promise<unknown>;
};

/**
 * Sessions outlive a restart, so that nobody has to sign in again at the worst moment. The key is a digest of the
 * session id: who can read the bucket cannot take a session over.
 */
export function sessionStore(bucket: Bucket): SessionStore {
  return {
    get(id, done) {
      bucket.get(sha256(id)).then(
        (entry) => done(null, entry?.operation === 'PUT' ? Stored.parse(JSON.parse(entry.string())) : null),
        (error: unknown) => done(error),
      );
    },
    set(id, session, done) {
      bucket.put(sha256(id), JSON.stringify(session)).then(
        () => done(),
        (error: unknown) => done(error),
      );
    },
    destroy(id, done) {
      bucket.delete(sha256(id)).then(
        () => done(),
        (error: unknown) => done(error),
      );
    },
  };
}

const Stored = z.custom<Session>((value) => typeof value === 'object' && value !== null && 'cookie' in value);
