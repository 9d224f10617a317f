import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { signedInOf } from './sign-in.ts';
import type { Parts } from './server.ts';

const PING_MS = 20_000;
const STREAMS_PER_SESSION = 10;

/** Server-sent events that only say "look again": the page itself stays the one thing that is rendered. */
export function liveRoutes(app: FastifyInstance, { board }: Parts): void {
  const open = new Set<FastifyReply>();
  const perSession = new Map<string, number>();

  function stream(request: FastifyRequest, reply: FastifyReply, concerns: (incidentId: string) => boolean): FastifyReply {
    if (!signedInOf(request)) return reply.code(401).send();
    const session = request.session.sessionId;
    const count = perSession.get(session) ?? 0;
    if (count >= STREAMS_PER_SESSION) return reply.code(429).header('retry-after', '30').send();
    perSession.set(session, count + 1);

    reply.hijack(); // skips the hooks, so the headers are set here
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    reply.raw.write('retry: 2000\n\nevent: changed\ndata: {}\n\n'); // once at the start: something may have changed since the page was made
    const stop = board.onChange((id) => {
      if (concerns(id)) reply.raw.write('event: changed\ndata: {}\n\n');
    });
    const ping = setInterval(() => {
      if (signedInOf(request)) reply.raw.write(': ping\n\n');
      else reply.raw.end('event: ended\ndata: {}\n\n');
    }, PING_MS);
    open.add(reply);
    request.raw.once('close', () => {
      stop();
      clearInterval(ping);
      open.delete(reply);
      const left = (perSession.get(session) ?? 1) - 1;
      if (left === 0) perSession.delete(session);
      else perSession.set(session, left);
    });
    return reply;
  }

  app.get('/events', (request, reply) => stream(request, reply, () => true));
  app.get<{ Params: { id: string } }>('/approvals/:id/events', (request, reply) => stream(request, reply, (id) => id === request.params.id));
  app.addHook('preClose', async () => {
    for (const reply of open) reply.raw.end();
  });
}
