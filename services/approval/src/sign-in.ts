import { Person } from '@cordon/contracts';
import type { Logger } from '@cordon/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as oidc from 'openid-client';
import { z } from 'zod';
import type { Config } from './config.ts';
import { messagePage } from './message-page.ts';

export type Role = 'viewer' | 'approver';
/** Who is signed in, and when they last proved it. Times are epoch milliseconds. */
export type SignedIn = { person: Person; role: Role; authenticatedAt: number; signedInAt: number };
/** A choice that waits for its owner to sign in again. */
export type PendingChoice = { incidentId: string; choice: 'isolate' | 'leave'; reason: string; digest: string; at: number };

declare module 'fastify' {
  interface Session {
    signedIn?: SignedIn;
    pendingChoice?: PendingChoice | undefined;
  }
}

const LOGIN_COOKIE = '__Host-cordon_login';
const LOGIN_MINUTES = 10;
const SESSION_HOURS = 12;
/** A yes needs a sign-in at most this old, by the provider's own word (`auth_time`). */
export const FRESH_SECONDS = 300;
const CLOCK_SKEW_SECONDS = 10;

/** Sign-in may only lead back to one of our own pages. */
const RETURN_TO = /^\/(approvals\/[0-9a-f]{32}(\/release)?(\?confirm=1)?)?$/;

const Transaction = z.object({ state: z.string(), nonce: z.string(), verifier: z.string(), to: z.string(), maxAge: z.int() });
const Claims = z.object({
  iss: z.string(),
  sub: z.string(),
  auth_time: z.number(),
  name: z.string().optional(),
  preferred_username: z.string().optional(),
  email: z.string().optional(),
});
const Groups = z.union([z.array(z.string()), z.string().transform((one) => [one])]).catch([]);

export async function signInRoutes(app: FastifyInstance, config: Config, log: Logger): Promise<void> {
  const redirectUri = `${config.PUBLIC_URL}/callback`;
  let discovered: oidc.Configuration | undefined;

  /** Discovered at first use and kept: the provider may be away when this service starts. */
  async function provider(): Promise<oidc.Configuration> {
    discovered ??= await oidc.discovery(new URL(config.OIDC_ISSUER), config.OIDC_CLIENT_ID, config.OIDC_CLIENT_SECRET, undefined, {
      timeout: 5,
      execute: config.OIDC_ISSUER.startsWith('http:') ? [oidc.allowInsecureRequests] : [],
    });
    return discovered;
  }

  const limited = { config: { rateLimit: { max: 60, timeWindow: '1 minute' } } };

  app.get('/login', limited, async (request, reply) => {
    const query = z.object({ to: z.string().optional(), step: z.literal('1').optional() }).safeParse(request.query);
    const wanted = query.data?.to ?? '/';
    const to = RETURN_TO.test(wanted) ? wanted : '/';
    const maxAge = query.data?.step ? FRESH_SECONDS : SESSION_HOURS * 3600;
    let target: URL;
    const transaction = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier(), to, maxAge };
    try {
      const configuration = await provider();
      target = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: config.OIDC_SCOPE ?? defaultScope(configuration),
        state: transaction.state,
        nonce: transaction.nonce,
        max_age: String(maxAge),
        code_challenge: await oidc.calculatePKCECodeChallenge(transaction.verifier),
        code_challenge_method: 'S256',
      });
    } catch (err) {
      log.warn({ err }, 'identity provider not available');
      return reply
        .code(503)
        .header('retry-after', '10')
        .send(messagePage('Sign-in is not available', 'The identity provider does not answer. Try again in a moment.', { href: '/', text: 'Try again' }));
    }
    return reply
      .setCookie(LOGIN_COOKIE, JSON.stringify(transaction), {
        path: '/',
        httpOnly: true,
        secure: true,
        sameSite: 'lax',
        signed: true,
        maxAge: LOGIN_MINUTES * 60,
      })
      .redirect(target.href, 302);
  });

  app.get('/callback', limited, async (request, reply) => {
    const transaction = transactionOf(request);
    reply.clearCookie(LOGIN_COOKIE, { path: '/', secure: true });
    if (!transaction) return expired(reply);
    try {
      const query = request.raw.url?.split('?', 2)[1] ?? '';
      const signedIn = await redeem(await provider(), new URL(`${redirectUri}?${query}`), transaction);
      await request.session.regenerate(['pendingChoice']); // a new id: a session planted before is worth nothing
      request.session.signedIn = signedIn;
      await request.session.save();
      log.info({ subject: signedIn.person.subject, role: signedIn.role }, 'signed in');
      return reply.redirect(transaction.to, 303);
    } catch (err) {
      if (err instanceof NoRole) {
        log.warn({ subject: err.subject }, 'signed in without a role');
        return reply
          .code(403)
          .send(messagePage('You have no role here', `You are signed in, but not in a group that may see incidents. Ask for membership in “${config.OIDC_VIEWER_GROUP}” or “${config.OIDC_APPROVER_GROUP}”.`, { href: '/', text: 'Sign in as somebody else' }));
      }
      log.warn({ reason: err instanceof Error ? err.message : 'unknown' }, 'sign-in failed'); // the error itself holds code and state
      return expired(reply);
    }
  });

  app.get('/signed-out', (_request, reply) =>
    reply.send(messagePage('You are signed out', 'Close this window, or sign in again.', { href: '/', text: 'Sign in' })),
  );

  async function redeem(configuration: oidc.Configuration, currentUrl: URL, transaction: z.infer<typeof Transaction>): Promise<SignedIn> {
    const tokens = await oidc.authorizationCodeGrant(configuration, currentUrl, {
      pkceCodeVerifier: transaction.verifier,
      expectedState: transaction.state,
      expectedNonce: transaction.nonce,
      maxAge: transaction.maxAge,
      idTokenExpected: true,
    });
    const idToken = tokens.claims() ?? {};
    const claims = Claims.parse(idToken);
    let profile: Record<string, unknown> = { ...idToken };
    if (!(config.OIDC_GROUPS_CLAIM in profile) && configuration.serverMetadata().userinfo_endpoint) {
      profile = { ...profile, ...(await oidc.fetchUserInfo(configuration, tokens.access_token, claims.sub)) };
    }
    const role = roleOf(Groups.parse(profile[config.OIDC_GROUPS_CLAIM]), config);
    if (!role) throw new NoRole(claims.sub);
    const said = Claims.partial().parse(profile);
    const person = Person.parse({
      issuer: claims.iss,
      subject: claims.sub,
      name: (said.name ?? said.preferred_username ?? said.email ?? claims.sub).slice(0, 255),
      email: said.email,
    });
    return { person, role, authenticatedAt: claims.auth_time * 1000, signedInAt: Date.now() };
  }

  function transactionOf(request: FastifyRequest): z.infer<typeof Transaction> | undefined {
    const cookie = request.unsignCookie(request.cookies[LOGIN_COOKIE] ?? '');
    if (!cookie.valid || !cookie.value) return undefined;
    return Transaction.safeParse(JSON.parse(cookie.value)).data;
  }
}

class NoRole extends Error {
  override readonly name = 'NoRole';
  readonly subject: string;
  constructor(subject: string) {
    super('in no group with a role');
    this.subject = subject;
  }
}

function expired(reply: FastifyReply): FastifyReply {
  return reply
    .code(400)
    .send(messagePage('Sign-in did not work', 'It took too long, was already used, or was started in another browser.', { href: '/', text: 'Sign in again' }));
}

function roleOf(groups: string[], config: Config): Role | undefined {
  if (groups.includes(config.OIDC_APPROVER_GROUP)) return 'approver';
  return groups.includes(config.OIDC_VIEWER_GROUP) ? 'viewer' : undefined;
}

function defaultScope(configuration: oidc.Configuration): string {
  const known = configuration.serverMetadata().scopes_supported ?? [];
  return ['openid', 'email', 'profile', ...(known.includes('groups') ? ['groups'] : [])].join(' ');
}

/** Who is signed in, or nothing where the session is too old. */
export function signedInOf(request: FastifyRequest): SignedIn | undefined {
  const { signedIn } = request.session;
  if (!signedIn || Date.now() - signedIn.signedInAt > SESSION_HOURS * 3_600_000) return undefined;
  return signedIn;
}

/** Whether the sign-in is fresh enough for a yes. */
export function isFresh(signedIn: SignedIn, now: number): boolean {
  return now - signedIn.authenticatedAt <= (FRESH_SECONDS + CLOCK_SKEW_SECONDS) * 1000;
}
