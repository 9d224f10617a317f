import type { EndpointLog } from '@cordon/bus';
import type { Incident } from '@cordon/incident';
import type { Logger } from '@cordon/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from './config.ts';
import type { Frame } from './layout.ts';
import { messagePage } from './message-page.ts';
import { comesFromOwnPage, csrfMatches, csrfToken } from './protect.ts';
import type { SignedIn } from './session-store.ts';
import { signedInOf } from './sign-in.ts';

/** A person by session, everybody else by address. */
const keyGenerator = (request: FastifyRequest): string =>
  request.session.signedIn ? request.session.sessionId : request.ip;

/** Looking: 600 pages a minute per person; without a session 60 per address. */
export const LOOKING = {
  rateLimit: {
    max: (request: FastifyRequest) => (request.session.signedIn ? 600 : 60),
    timeWindow: '1 minute',
    keyGenerator,
  },
};
/** Acting: 10 posts a minute of each kind, as fast as anybody reads. */
export const ACTING = { rateLimit: { max: 10, timeWindow: '1 minute', keyGenerator } };

const BAD_POSTS_MAX = 10;
const BAD_ANSWERS = new Set([400, 403, 413, 415, 422]);

/** Ten bad posts of one session are no mishap: for ten minutes it may post nothing more, and the log says so. */
export function limitBadPosts(app: FastifyInstance, log: Logger): void {
  const count = app.createRateLimit({ max: BAD_POSTS_MAX, timeWindow: '10 minutes', keyGenerator });

  app.addHook('preHandler', async (request, reply) => {
    if (request.method !== 'POST' || !request.session.signedIn || request.routeOptions.url === '/logout') return;
    const limit = await count(request, { increment: false });
    if (limit.isAllowed || limit.remaining > 0) return;
    await reply
      .code(429)
      .header('retry-after', limit.ttlInSeconds)
      .send(messagePage('Too many bad requests', 'Nothing was changed. Wait ten minutes, then try again.', HOME));
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const who = request.method === 'POST' && BAD_ANSWERS.has(reply.statusCode) ? request.session.signedIn : undefined;
    if (!who) return payload;
    const limit = await count(request);
    if (!limit.isAllowed && limit.remaining === 0 && !limit.isExceeded) {
      log.warn(
        { subject: who.person.subject, address: request.ip },
        'ten bad posts by one session: it is stopped for ten minutes',
      );
    }
    return payload;
  });
}

/** Where a page that says no leads to. */
export const HOME = { href: '/', text: 'All incidents' };

/**
 * The person behind a GET; answers with the way to sign in where there is none. Opening a page keeps the session alive;
 * what the script fetches by itself does not, or an open page would never be left alone.
 */
export async function whoLooks(request: FastifyRequest, reply: FastifyReply): Promise<SignedIn | undefined> {
  const who = signedInOf(request.session);
  if (!who) reply.redirect(`/login?to=${encodeURIComponent(request.url)}`, 302);
  // Saved by hand: the session plugin would withhold the cookie where TLS ends in front of us.
  else if (request.method === 'GET' && request.headers['sec-fetch-dest'] !== 'empty') await request.session.save();
  return who;
}

/**
 * Who posted one of our own forms. Answers 401 without a session, 403 for a foreign page or a foreign token, and then
 * returns nothing: nothing may happen.
 */
export function whoActs(
  request: FastifyRequest,
  reply: FastifyReply,
  config: Config,
  form: { csrf?: unknown },
  purpose: string[],
): SignedIn | undefined {
  const who = signedInOf(request.session);
  if (!who) {
    const page = request.url.replace(/\/(review|decide)$/, '');
    const signIn = { href: `/login?to=${encodeURIComponent(page)}`, text: 'Sign in' };
    reply.code(401).send(messagePage('You are not signed in', 'Nothing was changed. Sign in and try again.', signIn));
    return undefined;
  }
  if (
    !comesFromOwnPage(request, config.PUBLIC_URL) ||
    !csrfMatches(csrfToken(request, config, ...purpose), form.csrf)
  ) {
    const text = 'Nothing was changed. Open the incident here and try again.';
    reply.code(403).send(messagePage('That did not come from this page', text, HOME));
    return undefined;
  }
  return who;
}

/** As `whoActs`, for what only approvers may do. */
export function approverWhoActs(
  request: FastifyRequest,
  reply: FastifyReply,
  config: Config,
  form: { csrf?: unknown },
  purpose: string[],
): SignedIn | undefined {
  const who = whoActs(request, reply, config, form, purpose);
  if (!who || who.role === 'approver') return who;
  const text = 'Nothing was changed. Deciding needs the approver role.';
  reply.code(403).send(messagePage('You may look, but not decide', text, HOME));
  return undefined;
}

/** What the frame of a page says about the person. */
export function frameFor(request: FastifyRequest, who: SignedIn, config: Config): Pick<Frame, 'signedIn'> {
  return { signedIn: { who, logoutToken: csrfToken(request, config, 'logout') } };
}

/** The incident as the log has it now, or as it was kept when it ended. */
export async function currentIncident(incidents: EndpointLog, id: string): Promise<Incident | undefined> {
  const kept = await incidents.findIncident(id);
  if (!kept) return undefined;
  const { state, replaced } = await incidents.load(kept);
  return [state.incident, ...replaced].find((incident) => incident?.id === id) ?? kept;
}
