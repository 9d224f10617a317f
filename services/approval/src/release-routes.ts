import { canRelease, requestRelease } from '@cordon/incident';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ACTING, approverWhoActs, currentIncident, frameFor, LOOKING, whoLooks } from './access.ts';
import { releasePage, stepUpPage } from './confirm-page.ts';
import { csrfToken } from './protect.ts';
import type { Parts } from './server.ts';
import { isFresh } from './sign-in.ts';

const Form = z.strictObject({ csrf: z.string(), checked: z.literal('yes'), reason: z.string().trim().min(5).max(500) });

/** The way back: asking for the release, with the same care as for the isolation. */
export function releaseRoutes(app: FastifyInstance, { config, incidents, log }: Parts): void {
  app.get<{ Params: { id: string } }>('/approvals/:id/release', { config: LOOKING }, async (request, reply) => {
    const who = whoLooks(request, reply);
    if (!who) return reply;
    const incident = await currentIncident(incidents, request.params.id);
    if (!incident) return reply.callNotFound();
    const page = `/approvals/${incident.id}`;
    if (who.role !== 'approver' || !canRelease(incident)) return reply.redirect(page, 302);
    const frame = frameFor(request, who, config);
    if (!isFresh(who, Date.now())) return stepUpPage(frame, incident, 'release', `${page}/release`);
    return releasePage(frame, incident, csrfToken(config.SESSION_SECRET, request.session.sessionId, 'release', incident.id));
  });

  app.post<{ Params: { id: string } }>('/approvals/:id/release', { config: ACTING }, async (request, reply) => {
    const given = z.looseObject({}).safeParse(request.body).data ?? {};
    const who = approverWhoActs(request, reply, config, given, ['release', request.params.id]);
    if (!who) return reply;
    const incident = await currentIncident(incidents, request.params.id);
    if (!incident) return reply.callNotFound();
    const page = `/approvals/${incident.id}`;
    const frame = frameFor(request, who, config);
    if (!isFresh(who, Date.now())) return stepUpPage(frame, incident, 'release', `${page}/release`);

    const form = Form.safeParse(request.body);
    if (!form.success) {
      const csrf = csrfToken(config.SESSION_SECRET, request.session.sessionId, 'release', incident.id);
      const reason = z.object({ reason: z.string().optional().catch(undefined) }).parse(given).reason;
      const message = 'Confirm that the machine was examined, and give a reason of 5 to 500 characters.';
      return reply.code(422).send(releasePage(frame, incident, csrf, message, reason));
    }
    const command = { incidentId: incident.id, person: who.person, reason: form.data.reason };
    const result = await incidents.transact(incident, (state) => requestRelease(state, command, new Date()));
    // Whoever comes second, or too late, is shown what is being done already.
    if ('events' in result) log.info({ incidentId: incident.id, subject: who.person.subject }, 'release requested');
    return reply.redirect(page, 303);
  });
}
