import { z } from 'zod';
import { EdrDenied } from './errors.ts';
import { type Call, exchange, failureOf, parseReply } from './exchange.ts';

const Reply = z.object({ jwt: z.string().min(1) });
const Claims = z.object({ exp: z.number() });

/** LimaCharlie's own SDK reuses a token only while more than 10 minutes remain. */
const REFRESH_BEFORE_MS = 600_000;
/** LimaCharlie docs (API keys): a token lives one hour. Used where it carries no readable `exp`. */
const LIFE_MS = 3_600_000;
const REMEMBER_REJECTION_MS = 60_000;

export type TokenOptions = { jwtUrl: string; oid: string; apiKey: string; timeoutMs: number };
export type Tokens = {
  /** A token that is good for a while. Callers at the same time share one exchange. */
  get(): Promise<string>;
  /** Forgets a token that was refused, unless it was replaced already. */
  drop(token: string): void;
};

/**
 * Exchanges the API key for tokens: LimaCharlie docs (API keys), `POST jwt.limacharlie.io` with `oid` and `secret`.
 * A rejected key is remembered for a minute, in which nobody is asked again. Throws what `failureOf` makes of an answer.
 */
export function createTokens({ jwtUrl, oid, apiKey, timeoutMs }: TokenOptions): Tokens {
  let current: { token: string; goodUntil: number } | undefined;
  let rejection: { error: EdrDenied; until: number } | undefined;
  let pending: Promise<string> | undefined;

  async function renew(): Promise<string> {
    const call: Call = { method: 'POST', url: jwtUrl, form: { oid, secret: apiKey } };
    const answer = await exchange(call, timeoutMs);
    if (answer.status === 200) {
      const { jwt } = parseReply(Reply, call, answer);
      current = { token: jwt, goodUntil: expiryOf(jwt) - REFRESH_BEFORE_MS };
      return jwt;
    }
    const failure = failureOf(call, answer, [apiKey]);
    if (failure.kind === 'unavailable' || failure.kind === 'rate-limited') throw failure;
    // Which 4xx an unknown key gives is not documented: each of them means that a person has to look at the key.
    const error = new EdrDenied(`LimaCharlie does not accept the API key: ${failure.message}`);
    rejection = { error, until: Date.now() + REMEMBER_REJECTION_MS };
    throw error;
  }

  return {
    async get() {
      if (current && Date.now() < current.goodUntil) return current.token;
      if (rejection && Date.now() < rejection.until) throw rejection.error;
      pending ??= renew().finally(() => (pending = undefined));
      return pending;
    },
    drop(token) {
      if (current?.token === token) current = undefined;
    },
  };
}

/** The `exp` claim, in epoch milliseconds. The token is LimaCharlie's to verify, not ours. */
function expiryOf(jwt: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
    return Claims.parse(claims).exp * 1000;
  } catch {
    return Date.now() + LIFE_MS;
  }
}
