import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';

/** The hidden field of a form: bound to the session, the incident and what the form is for. */
export function csrfToken(secret: string, sessionId: string, ...purpose: string[]): string {
  return createHmac('sha256', `csrf:${secret}`).update([sessionId, ...purpose].join('\n')).digest('base64url');
}

export function csrfMatches(expected: string, given: unknown): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Whether a POST comes from our own page: by Origin, or by fetch metadata where a browser left Origin out. */
export function comesFromOwnPage(request: FastifyRequest, publicUrl: string): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  const { origin } = request.headers;
  return origin === undefined ? site === 'same-origin' : origin === new URL(publicUrl).origin;
}
