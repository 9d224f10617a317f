import type { FastifyInstance } from 'fastify';
import { currentIncident, frameFor, LOOKING, whoLooks } from './access.ts';
import { factsPage } from './facts.ts';
import type { Parts } from './server.ts';

/** The facts in full: the pages with a decision to make stay small enough for a phone. */
export function factsRoute(app: FastifyInstance, { config, incidents }: Parts): void {
  app.get<{ Params: { id: string } }>('/approvals/:id/facts', { config: LOOKING }, async (request, reply) => {
    const who = await whoLooks(request, reply);
    if (!who) return reply;
    const incident = await currentIncident(incidents, request.params.id);
    return incident ? factsPage(frameFor(request, who, config), incident) : reply.callNotFound();
  });
}
