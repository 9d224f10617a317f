import { Person } from '@cordon/contracts';
import { issuerName } from '@cordon/policy';
import { isSamePerson } from '@cordon/incident';
import type { Logger } from '@cordon/service';
import type { FastifyInstance, FastifyReply, FastifyRequest, Session } from 'fastify';
import * as oidc from 'openid-client';
import { z } from 'zod';
import type { Config } from './config.ts';
import { diagnose } from './diagnose.ts';
import { messagePage } from './message-page.ts';
import type { PolicyInForce } from './policy.ts';
import type { SignedIn } from './session-store.ts';

const LOGIN_COOKIE = '__Host-cordon_login';
const LOGIN_MINUTES = 10;
const SESSION_HOURS = 12;
/** Some providers list hundreds. */
const GROUPS_KEPT = 500;
/** Isolating and releasing need a sign-in at most this old, by the provider's own word (`auth_time`). */
export const FRESH_SECONDS = 300;

/** Sign-in may only lead back to one of our own pages. */
const RETURN_TO = /^\/(passkeys|approvals\/[0-9a-f]{32}(\/release|\/facts)?(\?confirm=1)?)?$/;

/** What has to be remembered between leaving for the provider and coming back. */
const Transaction = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  to: z.string(),
  maxAge: z.coerce.number(),
});
type Transaction = z.infer<typeof Transaction>;

const Claims = z.object({
  iss: z.string(),
  sub: z.string(),
  auth_time: z.number(),
  name: z.string().optional(),
  preferred_username: z.string().optional(),
  email: z.string().optional(),
});
const Groups = z.union([z.array(z.string()), z.string().transform((one) => [one])]).catch([]);

/** So many a minute and address. HEAD gets 404: it must neither begin a sign-in nor use one up. */
const limitedTo = (max: number) => ({ exposeHeadRoute: false, config: { rateLimit: { max, timeWindow: '1 minute' } } });

/** Sign-in with OpenID Connect (authorization code, PKCE), and the page after signing out. */
export async function signInRoutes(
  app: FastifyInstance,
  config: Config,
  policy: PolicyInForce,
  log: Logger,
): Promise<void> {
  const redirectUri = `${config.PUBLIC_URL}/callback`;
  let known: oidc.Configuration | undefined;

  async function discover(): Promise<oidc.Configuration> {
    known = await oidc.discovery(
      new URL(config.OIDC_ISSUER),
      config.OIDC_CLIENT_ID,
      config.OIDC_CLIENT_SECRET,
      undefined,
      { timeout: 5, execute: config.OIDC_ISSUER.startsWith('http:') ? [oidc.allowInsecureRequests] : [] },
    );
    return known;
  }

  app.get('/login', limitedTo(60), async (request, reply) => {
    const query = z.object({ to: z.string().optional(), step: z.literal('1').optional() }).safeParse(request.query);
    const wanted = query.data?.to ?? '/';
    // What mail programs and chats add to a link is no reason to lose the way back.
    const to = [wanted, wanted.split('?', 1)[0] ?? ''].find((path) => RETURN_TO.test(path)) ?? '/';
    const again = query.data?.step !== undefined;
    const maxAge = again ? FRESH_SECONDS : SESSION_HOURS * 3600;
    const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    let target: URL;
    try {
      const configuration = await discover(); // each time: who leaves for a provider that is away ends on an error page
      target = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: config.OIDC_SCOPE ?? defaultScope(configuration),
        state,
        nonce,
        max_age: String(maxAge),
        ...(again && { prompt: 'login' }),
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      });
    } catch (err) {
      const { code, reason, fix = 'check OIDC_ISSUER and the way to it' } = diagnose(err);
      log.error({ code, reason, issuer: config.OIDC_ISSUER, fix }, 'identity provider not available');
      return unavailable(reply);
    }
    const transaction = new URLSearchParams({ state, nonce, verifier, to, maxAge: String(maxAge) });
    return reply
      .setCookie(LOGIN_COOKIE, transaction.toString(), {
        path: '/',
        httpOnly: true,
        secure: true,
        sameSite: 'lax',
        signed: true,
        maxAge: LOGIN_MINUTES * 60,
      })
      .redirect(target.href, 302);
  });

  app.get('/callback', limitedTo(config.SIGN_INS_PER_MINUTE), async (request, reply) => {
    const transaction = transactionOf(request);
    reply.clearCookie(LOGIN_COOKIE, { path: '/', secure: true });
    if (!transaction) {
      const fix = `if this happens to everybody: people must open ${config.PUBLIC_URL} (PUBLIC_URL), and no other address`;
      log.warn({ reason: 'no sign-in was begun in this browser within ten minutes', fix }, 'sign-in failed');
      return failed(reply);
    }
    try {
      const query = request.url.split('?', 2)[1] ?? '';
      const signedIn = await redeem(known ?? (await discover()), new URL(`${redirectUri}?${query}`), transaction);
      const isSame = isSamePerson(request.session.signedIn?.person, signedIn.person);
      // A new id: a session planted before is worth nothing. Nobody takes over what somebody else chose.
      await request.session.regenerate(isSame ? ['pendingChoice'] : []);
      request.session.signedIn = signedIn;
      await request.session.save();
      log.info({ subject: signedIn.person.subject, role: signedIn.role }, 'signed in');
      return reply.redirect(transaction.to, 303);
    } catch (err) {
      if (err instanceof NoRole) {
        log.warn({ subject: err.subject }, 'signed in without a role');
        const text = `You are signed in, but not in a group that may see incidents. Ask for membership in “${config.OIDC_VIEWER_GROUP}” or “${config.OIDC_APPROVER_GROUP}”.`;
        const link = { href: '/login?step=1', text: 'Sign in as somebody else' };
        return reply.code(403).send(messagePage('You have no role here', text, link));
      }
      const { unavailable: away, ...diagnosis } = diagnose(err);
      log[away ? 'error' : 'warn'](diagnosis, 'sign-in failed');
      return away ? unavailable(reply) : failed(reply);
    }
  });

  app.get('/signed-out', (_request, reply) =>
    reply.send(
      messagePage('You are signed out', 'Close this window, or sign in again.', { href: '/', text: 'Sign in' }),
    ),
  );

  async function redeem(
    configuration: oidc.Configuration,
    currentUrl: URL,
    transaction: Transaction,
  ): Promise<SignedIn> {
    const checks = {
      pkceCodeVerifier: transaction.verifier,
      expectedState: transaction.state,
      expectedNonce: transaction.nonce,
      maxAge: transaction.maxAge,
      idTokenExpected: true,
    };
    const tokens = await oidc
      .authorizationCodeGrant(configuration, currentUrl, checks)
      .catch(async (error: unknown) => {
        if (!isRefusedClient(error)) throw error;
        // Providers differ in how they take the client's secret, in the form or as a header, and a refused client has not
        // used up the code.
        const other = withSecretInHeader(configuration, config);
        const granted = await oidc.authorizationCodeGrant(other, currentUrl, checks).catch(() => {
          throw error; // then it was not that
        });
        known = other;
        return granted;
      });
    const idToken = tokens.claims() ?? {};
    const claims = Claims.parse(idToken);
    let profile: Record<string, unknown> = { ...idToken };
    if (!(config.OIDC_GROUPS_CLAIM in profile) && configuration.serverMetadata().userinfo_endpoint) {
      profile = { ...profile, ...(await oidc.fetchUserInfo(configuration, tokens.access_token, claims.sub)) };
    }
    const groups = Groups.parse(profile[config.OIDC_GROUPS_CLAIM]);
    const role = roleOf(groups, policy, config);
    if (!role) throw new NoRole(claims.sub);
    const said = Claims.partial().parse(profile);
    const person = Person.parse({
      issuer: issuerName(claims.iss),
      subject: claims.sub,
      name: (said.name ?? said.preferred_username ?? said.email ?? claims.sub).slice(0, 255),
      email: said.email,
      username: said.preferred_username?.slice(0, 255),
    });
    const now = Date.now(); // a provider whose clock is ahead must not make a sign-in last longer
    return {
      person,
      role,
      groups: groups.slice(0, GROUPS_KEPT),
      authenticatedAt: Math.min(claims.auth_time * 1000, now),
      signedInAt: now,
    };
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

function transactionOf(request: FastifyRequest): Transaction | undefined {
  const cookie = request.unsignCookie(request.cookies[LOGIN_COOKIE] ?? '');
  if (!cookie.valid) return undefined;
  return Transaction.safeParse(Object.fromEntries(new URLSearchParams(cookie.value))).data;
}

function failed(reply: FastifyReply): FastifyReply {
  const text = 'It took too long, was already used, or was started in another browser.';
  return reply.code(400).send(messagePage('Sign-in did not work', text, { href: '/', text: 'Sign in again' }));
}

function unavailable(reply: FastifyReply): FastifyReply {
  const text = 'The identity provider does not answer as it should. Try again in a moment.';
  return reply
    .code(503)
    .header('retry-after', '10')
    .send(messagePage('Sign-in is not available', text, { href: '/', text: 'Try again' }));
}

function roleOf(groups: string[], policy: PolicyInForce, config: Config): SignedIn['role'] | undefined {
  const deciders = policy.deciders();
  if (groups.some((group) => deciders.has(group))) return 'approver';
  return groups.includes(config.OIDC_VIEWER_GROUP) ? 'viewer' : undefined;
}

function defaultScope(configuration: oidc.Configuration): string {
  const known = configuration.serverMetadata().scopes_supported ?? [];
  return ['openid', 'email', 'profile', ...(known.includes('groups') ? ['groups'] : [])].join(' ');
}

/** Who is signed in, or nothing where the session is too old. */
export function signedInOf({ signedIn }: Session): SignedIn | undefined {
  return signedIn && Date.now() - signedIn.signedInAt <= SESSION_HOURS * 3_600_000 ? signedIn : undefined;
}

/** Whether the sign-in is fresh enough to isolate or to release. */
export function isFresh(signedIn: SignedIn, now: number): boolean {
  return now - signedIn.authenticatedAt <= FRESH_SECONDS * 1000;
}

function isRefusedClient(error: unknown): boolean {
  if (error instanceof oidc.WWWAuthenticateChallengeError) return true;
  return error instanceof oidc.ResponseBodyError && error.error === 'invalid_client';
}

function withSecretInHeader(configuration: oidc.Configuration, config: Config): oidc.Configuration {
  const { OIDC_CLIENT_ID: id, OIDC_CLIENT_SECRET: secret, OIDC_ISSUER: issuer } = config;
  const other = new oidc.Configuration(configuration.serverMetadata(), id, secret, oidc.ClientSecretBasic(secret));
  other.timeout = 5;
  if (issuer.startsWith('http:')) oidc.allowInsecureRequests(other);
  return other;
}
