import { canRelease, describe, type Incident, isSamePerson, objectionTo, requestRelease } from '@cordon/incident';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ACTING, approverWhoActs, currentIncident, frameFor, LOOKING, whoLooks } from './access.ts';
import { releasePage, stepUpPage } from './confirm-page.ts';
import { keepChoice, pendingChoice, showIncident } from './decision-routes.ts';
import type { Returned } from './incident-page.ts';
import { OBJECTIONS } from './refusals.ts';
import { csrfToken } from './protect.ts';
import { Reason } from './reason.ts';
import type { Parts } from './server.ts';
import type { SignedIn } from './session-store.ts';
import { isFresh } from './sign-in.ts';

const Form = z.strictObject({ csrf: z.string(), checked: z.literal('yes'), reason: Reason });

/** The way back: asking for the release, with the same care as for the isolation. */
export function releaseRoutes(app: FastifyInstance, parts: Parts): void {
  const { config, incidents, policy, log } = parts;
  app.get<{ Params: { id: string } }>('/approvals/:id/release', { config: LOOKING }, async (request, reply) => {
    const who = await whoLooks(request, reply);
    if (!who) return reply;
    const incident = await currentIncident(incidents, request.params.id);
    if (!incident) return reply.callNotFound();
    if (who.role !== 'approver' || !canRelease(incident)) return reply.redirect(`/approvals/${incident.id}`, 302);
    if (!isFresh(who, Date.now())) return stepUp(request, who, incident);
    const pending = pendingChoice(request, incident);
    return form(request, who, incident, pending?.choice === 'release' ? { reason: pending.reason } : {});
  });

  app.post<{ Params: { id: string } }>('/approvals/:id/release', { config: ACTING }, async (request, reply) => {
    const given = z.looseObject({}).safeParse(request.body).data ?? {};
    const who = approverWhoActs(request, reply, config, given, ['release', request.params.id]);
    if (!who) return reply;
    const incident = await currentIncident(incidents, request.params.id);
    if (!incident) return reply.callNotFound();

    const parsed = Form.safeParse(request.body);
    const reason = z.string().optional().catch(undefined).parse(given['reason']);
    if (!parsed.success) {
      const message = 'Confirm that the machine was examined, and give a reason of 5 to 500 characters.';
      return reply.code(422).send(form(request, who, incident, { message, reason }));
    }
    if (!isFresh(who, Date.now())) {
      await keepChoice(request, {
        incidentId: incident.id,
        choice: 'release',
        reason: parsed.data.reason,
        at: Date.now(),
      });
      return stepUp(request, who, incident);
    }
    const terms = incident.question?.terms ?? policy.fallback();
    const objection = objectionTo(incident, { groups: who.groups, accounts: policy.accountsOf(who.person) }, terms);
    if (objection) {
      const message = `${OBJECTIONS[objection]} Nothing was changed by you.`;
      return reply.code(403).send(showIncident(request, who, parts, incident, { message }));
    }
    const { policyVersion, decisionValidMs: validMs } = policy.fallback();
    const answer = { channel: 'page' as const, person: who.person, reason: parsed.data.reason };
    const command = { incidentId: incident.id, policyVersion, validMs, ...answer };
    const result = await incidents.transact(incident, (state) => requestRelease(state, command, new Date()));
    if ('refused' in result) {
      const now = 'incident' in result.refused ? result.refused.incident : incident;
      const by = now.release?.requestedBy;
      if (isSamePerson(by, who.person)) return reply.redirect(`/approvals/${incident.id}`, 303); // sent twice
      log.info(
        { incidentId: incident.id, because: result.refused.because, subject: who.person.subject },
        'release not taken',
      );
      const message = by
        ? `${by.name} already asked for the release. Nothing was changed by you.`
        : `There is nothing to release: ${describe(now).headline.replace(/\.$/, '')}. Nothing was changed by you.`;
      return reply.code(409).send(showIncident(request, who, parts, now, { message }));
    }
    log.info({ incidentId: incident.id, subject: who.person.subject }, 'release requested');
    return reply.redirect(`/approvals/${incident.id}`, 303);
  });

  function form(request: FastifyRequest, who: SignedIn, incident: Incident, returned: Partial<Returned>): string {
    return releasePage(
      frameFor(request, who, config),
      incident,
      csrfToken(request, config, 'release', incident.id),
      returned,
    );
  }

  function stepUp(request: FastifyRequest, who: SignedIn, incident: Incident): string {
    return stepUpPage(frameFor(request, who, config), incident, 'release', `/approvals/${incident.id}/release`);
  }
}
