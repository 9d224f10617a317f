import type { EndpointLog } from '@cordon/bus';
import type { Logger } from '@cordon/service';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import session from '@fastify/session';
import { fastify, type FastifyInstance } from 'fastify';
import type { Counter } from 'prom-client';
import { HOME, limitBadPosts } from './access.ts';
import { ICON, PASSKEY_SCRIPT, SCRIPT, STYLE } from './assets.ts';
import type { Config } from './config.ts';
import { decisionRoutes } from './decision-routes.ts';
import { factsRoute } from './facts-route.ts';
import type { IncidentBoard } from './incident-board.ts';
import { liveRoutes } from './live.ts';
import { messagePage } from './message-page.ts';
import { passkeyRoutes } from './passkey-routes.ts';
import type { Passkeys } from './passkeys.ts';
import type { PolicyInForce } from './policy.ts';
import { releaseRoutes } from './release-routes.ts';
import { type Bucket, SESSION_COOKIE, sessionStore } from './session-store.ts';
import { signInRoutes } from './sign-in.ts';
import type { AnswerSlack } from './slack-decisions.ts';
import { slackRoutes } from './slack-routes.ts';

const IDLE_MINUTES = 15;
const BODY_LIMIT = 64 * 1024;
const CLOSING_MS = 3000;

export type Parts = {
  config: Config;
  incidents: EndpointLog;
  board: IncidentBoard;
  sessions: Bucket;
  passkeys: Passkeys;
  policy: PolicyInForce;
  log: Logger;
  decisions: Counter<'outcome'>;
  /** Where Slack posts to us. */
  slack?: { signingSecret: string; answer: AnswerSlack } | undefined;
};

/** The pages, with everything around them that keeps strangers, scanners and other sites from deciding. */
export async function createServer(parts: Parts): Promise<FastifyInstance> {
  const { config, log, slack } = parts;
  const app = fastify({
    logger: false,
    trustProxy: config.TRUST_PROXY ?? false,
    requestTimeout: 30_000,
    bodyLimit: BODY_LIMIT,
    routerOptions: { maxParamLength: 64 },
    frameworkErrors: (error, _request, reply) => {
      reply.raw.writeHead(error.statusCode ?? 400, { 'content-type': 'text/plain' }).end('Not understood.');
    },
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
  app.addHook('onSend', async (request, reply, payload) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    if (request.method === 'POST') reply.header('vary', 'Origin, Sec-Fetch-Site');
    reply.header('x-robots-tag', 'noindex, nofollow');
    if (typeof payload === 'string' && payload.startsWith('<!doctype html>')) reply.type('text/html; charset=utf-8');
    return payload;
  });
  app.setNotFoundHandler((_request, reply) => {
    const text = 'The address is wrong, or the incident is older than what is kept.';
    return reply.code(404).send(messagePage('There is nothing here', text, HOME));
  });
  app.setErrorHandler((error, request, reply) => {
    const code = statusOf(error);
    if (code >= 500)
      log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'request failed');
    return reply.code(code).send(messagePage(...wordsFor(code, request.method), HOME));
  });

  // Beside the pages and without a session, whose cookie has no place in an answer that caches may keep and share.
  for (const { path, type, body } of [STYLE, SCRIPT, PASSKEY_SCRIPT, ICON]) {
    app.get(path, (_request, reply) =>
      reply.header('cache-control', 'public, max-age=31536000, immutable').type(type).send(body),
    );
  }
  if (slack) await app.register(async (routes) => slackRoutes(routes, slack.signingSecret, slack.answer));
  await app.register((pages) => servePages(pages, parts));
  // Browsers keep connections open that nobody uses any more: what is in hand gets this long, and no longer.
  app.addHook('preClose', async () => void setTimeout(() => app.server.closeAllConnections(), CLOSING_MS).unref());
  return app;
}

async function servePages(pages: FastifyInstance, parts: Parts): Promise<void> {
  const { config, sessions, policy, log } = parts;
  await pages.register(cookie, { secret: config.SESSION_SECRET });
  await pages.register(session, {
    secret: config.SESSION_SECRET,
    cookieName: SESSION_COOKIE,
    cookie: { path: '/', httpOnly: true, secure: true, sameSite: 'lax', maxAge: IDLE_MINUTES * 60_000 },
    store: sessionStore(sessions),
    saveUninitialized: false,
    rolling: false,
  });
  pages.removeAllContentTypeParsers(); // forms and nothing else
  await pages.register(formbody, { bodyLimit: BODY_LIMIT });
  await pages.register(rateLimit, { global: false, hook: 'preHandler' });
  limitBadPosts(pages, log);
  await signInRoutes(pages, config, policy, log);
  decisionRoutes(pages, parts);
  releaseRoutes(pages, parts);
  passkeyRoutes(pages, parts);
  factsRoute(pages, parts);
  liveRoutes(pages, parts);
}

function statusOf(error: unknown): number {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : 500;
}

function wordsFor(code: number, method: string): [title: string, text: string] {
  if (code === 429) return ['Too many requests', 'Nothing was changed. Wait a minute, then try again.'];
  if (code < 500) return ['That did not work', 'The request was not understood. Nothing was changed.'];
  return method === 'POST'
    ? [
        'Cordon cannot answer right now',
        'Whether your answer was taken is not known. Open the incident again and look.',
      ]
    : ['Cordon cannot answer right now', 'Nothing was changed. Try again in a moment.'];
}
