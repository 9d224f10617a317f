import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Parts } from './server.ts';
import { findSession } from './session-store.ts';
import { signedInOf } from './sign-in.ts';

const PING_MS = 20_000;
const STREAMS_PER_SESSION = 10;
const CHANGED = 'event: changed\ndata: {}\n\n';

/** Server-sent events that only say "look again": the page itself stays the one thing that is rendered. */
export function liveRoutes(app: FastifyInstance, { board, sessions, log }: Parts): void {
  const open = new Set<FastifyReply>();
  const perSession = new Map<string, number>();

  function stream(
    request: FastifyRequest,
    reply: FastifyReply,
    concerns: (incidentId: string) => boolean,
  ): FastifyReply {
    if (!signedInOf(request.session)) return reply.code(401).send();
    const { sessionId } = request.session;
    const count = perSession.get(sessionId) ?? 0;
    if (count >= STREAMS_PER_SESSION) return reply.code(429).header('retry-after', '30').send();
    perSession.set(sessionId, count + 1);
    open.add(reply);

    reply.hijack(); // skips the hooks, so the headers are set here
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      connection: 'close', // a connection kept for later would hold up the end of the service
    });
    reply.raw.write(`retry: 2000\n\n${CHANGED}`); // once at the start: something may have changed since the page was made
    const say = (text: string): void => {
      // Who reads too slowly has the same news waiting already.
      if (!reply.raw.writableEnded && !reply.raw.writableNeedDrain) reply.raw.write(text);
    };
    const stop = board.onChange((id) => {
      if (concerns(id)) say(CHANGED);
    });
    const ping = setInterval(() => {
      isAlive(sessionId).then(
        (alive) => (alive ? say(': ping\n\n') : reply.raw.end('event: ended\ndata: {}\n\n')),
        (err: unknown) => log.warn({ err }, 'session not readable'), // asked again at the next ping
      );
    }, PING_MS);
    request.raw.once('close', () => {
      stop();
      clearInterval(ping);
      open.delete(reply);
      const left = (perSession.get(sessionId) ?? 1) - 1;
      if (left === 0) perSession.delete(sessionId);
      else perSession.set(sessionId, left);
    });
    return reply;
  }

  /** Not signed out, not idle for too long, not too old. */
  async function isAlive(sessionId: string): Promise<boolean> {
    const session = await findSession(sessions, sessionId);
    return (
      session?.cookie.expires != null && session.cookie.expires.getTime() > Date.now() && Boolean(signedInOf(session))
    );
  }

  app.get('/events', { exposeHeadRoute: false }, (request, reply) => stream(request, reply, () => true));
  app.get<{ Params: { id: string } }>('/approvals/:id/events', { exposeHeadRoute: false }, (request, reply) =>
    stream(request, reply, (id) => id === request.params.id),
  );
  app.addHook('preClose', async () => {
    for (const reply of open) reply.raw.end();
  });
}
