import type { Incident } from '@cordon/incident';
import type { EndpointLog } from '@cordon/bus';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from './config.ts';
import type { Frame } from './layout.ts';
import { messagePage } from './message-page.ts';
import { comesFromOwnPage, csrfMatches, csrfToken } from './protect.ts';
import { type SignedIn, signedInOf } from './sign-in.ts';

/** Looking: 600 pages a minute per person; without a session 60 per address. */
export const LOOKING = {
  rateLimit: {
    max: (request: FastifyRequest) => (request.session.signedIn ? 600 : 60),
    timeWindow: '1 minute',
    keyGenerator: (request: FastifyRequest) => (request.session.signedIn ? request.session.sessionId : request.ip),
  },
};
/** Acting: 20 posts a minute per session. */
export const ACTING = {
  rateLimit: {
    max: 20,
    timeWindow: '1 minute',
    keyGenerator: (request: FastifyRequest) => (request.session.signedIn ? request.session.sessionId : request.ip),
  },
};

/** The person behind a GET; answers with the way to sign in where there is none. */
export function whoLooks(request: FastifyRequest, reply: FastifyReply): SignedIn | undefined {
  const who = signedInOf(request);
  if (!who) void reply.redirect(`/login?to=${encodeURIComponent(request.url)}`, 302);
  return who;
}

/**
 * The approver behind a POST from one of our own forms. Answers 401 without a session, 403 for a foreign page, a foreign
 * token or a missing role, and then returns nothing: nothing may happen.
 */
export function whoActs(
  request: FastifyRequest,
  reply: FastifyReply,
  config: Config,
  form: { csrf?: unknown },
  purpose: string[],
): SignedIn | undefined {
  const who = signedInOf(request);
  const back = { href: '/', text: 'All incidents' };
  if (!who) {
    void reply.code(401).send(messagePage('You are not signed in', 'Nothing was changed. Sign in and try again.', { href: '/', text: 'Sign in' }));
    return undefined;
  }
  const expected = csrfToken(config.SESSION_SECRET, request.session.sessionId, ...purpose);
  if (!comesFromOwnPage(request, config.PUBLIC_URL) || !csrfMatches(expected, form.csrf)) {
    void reply.code(403).send(messagePage('That did not come from this page', 'Nothing was changed. Open the incident here and try again.', back));
    return undefined;
  }
  return who;
}

/** As `whoActs`, for what only approvers may do. */
export function approverWhoActs(...input: Parameters<typeof whoActs>): SignedIn | undefined {
  const who = whoActs(...input);
  if (who && who.role !== 'approver') {
    void input[1].code(403).send(messagePage('You may look, but not decide', 'Nothing was changed. Deciding needs the approver role.', { href: '/', text: 'All incidents' }));
    return undefined;
  }
  return who;
}

/** What the frame of a page says about the person. */
export function frameFor(request: FastifyRequest, who: SignedIn, config: Config): Pick<Frame, 'signedIn'> {
  return { signedIn: { who, logoutToken: csrfToken(config.SESSION_SECRET, request.session.sessionId, 'logout') } };
}

/** The incident as the log has it now, or as it was kept when it ended. */
export async function currentIncident(incidents: EndpointLog, id: string): Promise<Incident | undefined> {
  const kept = await incidents.findIncident(id);
  if (!kept) return undefined;
  const { state, replaced } = await incidents.load(kept);
  return [state.incident, ...replaced].find((incident) => incident?.id === id) ?? kept;
}
