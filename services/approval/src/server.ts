import type { EndpointLog } from '@cordon/bus';
import type { Policy } from '@cordon/incident';
import type { Logger } from '@cordon/service';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import session from '@fastify/session';
import { fastify, type FastifyInstance } from 'fastify';
import type { Counter } from 'prom-client';
import { SCRIPT, STYLE } from './assets.ts';
import type { Config } from './config.ts';
import { decisionRoutes } from './decision-routes.ts';
import type { IncidentBoard } from './incident-board.ts';
import { liveRoutes } from './live.ts';
import { messagePage } from './message-page.ts';
import { releaseRoutes } from './release-routes.ts';
import { type Bucket, sessionStore } from './session-store.ts';
import { signInRoutes } from './sign-in.ts';

export const SESSION_COOKIE = '__Host-cordon_sid';
const IDLE_MINUTES = 15;

export type Parts = {
  config: Config;
  incidents: EndpointLog;
  board: IncidentBoard;
  sessions: Bucket;
  policy: Policy;
  log: Logger;
  decisions: Counter<'outcome'>;
};

/** The pages, with everything around them that keeps strangers, scanners and other sites from deciding. */
export async function createServer(parts: Parts): Promise<FastifyInstance> {
  const { config, sessions, log } = parts;
  const app = fastify({
    logger: false,
    trustProxy: config.TRUST_PROXY ?? false,
    requestTimeout: 30_000,
    bodyLimit: 64 * 1024,
    routerOptions: { maxParamLength: 64 },
  });
  await app.register(helmet, {
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'same-origin' }, // no-referrer would make browsers send `Origin: null` on our own forms
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        scriptSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
  });
  await app.register(cookie, { secret: config.SESSION_SECRET });
  await app.register(session, {
    secret: config.SESSION_SECRET,
    cookieName: SESSION_COOKIE,
    cookie: { path: '/', httpOnly: true, secure: true, sameSite: 'lax', maxAge: IDLE_MINUTES * 60_000 },
    store: sessionStore(sessions),
    saveUninitialized: false,
    rolling: false,
  });
  await app.register(formbody, { bodyLimit: 64 * 1024 });
  await app.register(rateLimit, { global: false, ...limits() });

  app.addHook('onSend', async (_request, reply, payload) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    reply.header('x-robots-tag', 'noindex, nofollow');
    if (typeof payload === 'string' && payload.startsWith('<!doctype html>')) reply.type('text/html; charset=utf-8');
    return payload;
  });
  // Saved by hand and not by the plugin, which would withhold the cookie where TLS ends in front of us.
  app.addHook('preHandler', async (request) => {
    if (request.session.signedIn && request.method === 'GET') await request.session.save();
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send(messagePage('There is nothing here', 'The address is wrong, or the incident is older than what is kept.', { href: '/', text: 'All incidents' })),
  );
  app.setErrorHandler((error, request, reply) => {
    const code = error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
    if (code >= 500) log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'request failed');
    const text =
      code === 429
        ? ['Too many requests', 'Wait a minute, then try again.']
        : code < 500
          ? ['That did not work', 'The request was not understood. Nothing was changed.']
          : ['Cordon cannot answer right now', 'Nothing was changed. Try again in a moment.'];
    return reply.code(code).send(messagePage(text[0] ?? '', text[1] ?? '', { href: '/', text: 'All incidents' }));
  });

  for (const { path, type, body } of [STYLE, SCRIPT]) {
    app.get(path, (_request, reply) => reply.header('cache-control', 'public, max-age=31536000, immutable').type(type).send(body));
  }
  await signInRoutes(app, config, log);
  decisionRoutes(app, parts);
  releaseRoutes(app, parts);
  liveRoutes(app, parts);
  return app;
}

/** A person by session, everybody else by address. Looking is cheap; acting is rare. */
function limits() {
  return { hook: 'preHandler' as const, timeWindow: '1 minute' };
}
