import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Config } from './config.ts';

/** The hidden field of a form: bound to the session, the incident and what the form is for. */
export function csrfToken(request: FastifyRequest, config: Config, ...purpose: string[]): string {
  return createHmac('sha256', `csrf:${config.SESSION_SECRET}`)
    .update([request.session.sessionId, ...purpose].join('\n'))
    .digest('base64url');
}

/** Whether a form carries the token that was made for it. */
export function csrfMatches(expected: string, given: unknown): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Whether a POST comes from our own page: by Origin, or by fetch metadata where a browser left Origin out. */
export function comesFromOwnPage(request: FastifyRequest, ownOrigin: string): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  const { origin } = request.headers;
  return origin === undefined ? site === 'same-origin' : origin === ownOrigin;
}
