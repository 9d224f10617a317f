import { decide, describe, factsDigest, type Incident, type Refusal } from '@cordon/incident';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ACTING, approverWhoActs, currentIncident, frameFor, LOOKING, whoActs, whoLooks } from './access.ts';
import { confirmPage, stepUpPage } from './confirm-page.ts';
import { incidentPage, type Returned } from './incident-page.ts';
import { listPage } from './list-page.ts';
import { csrfToken } from './protect.ts';
import type { Parts } from './server.ts';
import { isFresh, type SignedIn } from './sign-in.ts';

const Reason = z.string().trim().min(5).max(500);
const Form = z.strictObject({
  csrf: z.string(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  choice: z.enum(['isolate', 'leave']),
  reason: Reason,
});
const CHOICE_KEPT_MS = 10 * 60_000;

/** The list, the incident with its question, the confirmation and the decision. */
export function decisionRoutes(app: FastifyInstance, { config, incidents, board, policy, log, decisions }: Parts): void {
  const token = (request: FastifyRequest, incident: Incident): string =>
    csrfToken(config.SESSION_SECRET, request.session.sessionId, 'decide', incident.id);
  const show = (request: FastifyRequest, who: SignedIn, incident: Incident, returned?: Returned): string =>
    incidentPage(
      frameFor(request, who, config),
      incident,
      who.role === 'approver' ? { role: 'approver', csrf: token(request, incident), digest: factsDigest(incident) } : { role: 'viewer' },
      returned,
    );
  const confirm = (request: FastifyRequest, who: SignedIn, incident: Incident, choice: { choice: 'isolate' | 'leave'; reason: string }): string =>
    confirmPage(frameFor(request, who, config), incident, choice, { csrf: token(request, incident), digest: factsDigest(incident) });

  app.get('/', { config: LOOKING }, async (request, reply) => {
    const who = whoLooks(request, reply);
    return who ? listPage(frameFor(request, who, config), board.cards()) : reply;
  });

  app.get<{ Params: { id: string }; Querystring: { confirm?: string } }>('/approvals/:id', { config: LOOKING }, async (request, reply) => {
    const who = whoLooks(request, reply);
    if (!who) return reply;
    const incident = await currentIncident(incidents, request.params.id);
    if (!incident) return reply.callNotFound();
    const pending = request.session.pendingChoice;
    const resumes =
      request.query.confirm && who.role === 'approver' && incident.status === 'asked' && pending?.incidentId === incident.id;
    if (resumes && Date.now() - pending.at < CHOICE_KEPT_MS && pending.digest === factsDigest(incident)) {
      return confirm(request, who, incident, pending);
    }
    return show(request, who, incident);
  });

  app.post<{ Params: { id: string } }>('/approvals/:id/review', { config: ACTING }, async (request, reply) => {
    const answer = await read(request, reply);
    if (!answer) return reply;
    const { who, incident, form } = answer;
    if (form.choice === 'isolate' && !isFresh(who, Date.now())) return stepUp(request, reply, who, incident, form);
    return confirm(request, who, incident, form);
  });

  app.post<{ Params: { id: string } }>('/approvals/:id/decide', { config: ACTING }, async (request, reply) => {
    const answer = await read(request, reply);
    if (!answer) return reply;
    const { who, incident, form } = answer;
    if (form.choice === 'isolate' && !isFresh(who, Date.now())) return stepUp(request, reply, who, incident, form);

    const command = { incidentId: incident.id, outcome: form.choice, person: who.person, reason: form.reason, factsDigest: form.digest };
    const result = await incidents.transact(incident, (state) => decide(state, command, policy, new Date()));
    if ('refused' in result) return refused(request, reply, who, incident, result.refused);
    decisions.inc({ outcome: form.choice });
    log.info({ incidentId: incident.id, outcome: form.choice, subject: who.person.subject }, 'decided');
    if (request.session.pendingChoice) {
      request.session.pendingChoice = undefined;
      await request.session.save();
    }
    return reply.redirect(`/approvals/${incident.id}`, 303);
  });

  app.post('/logout', { config: ACTING }, async (request, reply) => {
    const form = z.object({ csrf: z.string() }).safeParse(request.body);
    if (!whoActs(request, reply, config, form.data ?? {}, ['logout'])) return reply;
    await request.session.destroy();
    return reply.header('clear-site-data', '"cookies", "storage"').redirect('/signed-out', 303);
  });

  /** Who posted what about which incident; answers and returns nothing where it may not go on. */
  async function read(
    request: FastifyRequest<{ Params: { id: string } }>,
    reply: FastifyReply,
  ): Promise<{ who: SignedIn; incident: Incident; form: z.infer<typeof Form> } | undefined> {
    const parsed = Form.safeParse(request.body);
    const given = z.looseObject({}).safeParse(request.body).data ?? {};
    const who = approverWhoActs(request, reply, config, given, ['decide', request.params.id]);
    if (!who) return undefined;
    const incident = await currentIncident(incidents, request.params.id);
    if (!incident) {
      reply.callNotFound();
      return undefined;
    }
    if (!parsed.success) {
      const entered = z.object({ choice: z.string().optional().catch(undefined), reason: z.string().optional().catch(undefined) }).parse(given);
      const message = 'Choose yes or no, and give a reason of 5 to 500 characters.';
      void reply.code(422).send(show(request, who, incident, { message, ...entered }));
      return undefined;
    }
    if (incident.decision || incident.status !== 'asked') {
      refused(request, reply, who, incident, { because: incident.decision ? 'already_decided' : 'expired', incident });
      return undefined;
    }
    if (parsed.data.digest !== factsDigest(incident)) {
      refused(request, reply, who, incident, { because: 'facts_changed', incident });
      return undefined;
    }
    return { who, incident, form: parsed.data };
  }

  function refused(request: FastifyRequest, reply: FastifyReply, who: SignedIn, incident: Incident, refusal: Refusal): FastifyReply {
    const now = 'incident' in refusal ? refusal.incident : incident;
    log.info({ incidentId: incident.id, because: refusal.because, subject: who.person.subject }, 'decision not taken');
    switch (refusal.because) {
      case 'already_decided': {
        const winner = now.decision?.decidedBy;
        if (now.decision?.outcome === 'expired') return reply.code(410).send(show(request, who, now, { message: 'Too late: the question has expired. Nothing was changed by you.' }));
        const self = winner?.issuer === who.person.issuer && winner.subject === who.person.subject;
        const message = `${self ? 'You' : (winner?.name ?? 'Somebody else')} already decided: ${describe(now).headline.replace(/\.$/, '')}. This answer was not taken.`;
        return reply.code(409).send(show(request, who, now, { message }));
      }
      case 'facts_changed':
        return reply.code(409).send(show(request, who, now, { message: 'New facts arrived while you were deciding. Nothing was decided yet: read them below and answer again.' }));
      case 'expired':
        return reply.code(410).send(show(request, who, now, { message: 'Too late: the question has expired. Nothing was changed by you.' }));
      case 'unknown_incident':
      case 'not_releasable':
        return reply.code(409).send(show(request, who, now, { message: 'This question is no longer open. Nothing was changed by you.' }));
    }
  }

  async function stepUp(request: FastifyRequest, reply: FastifyReply, who: SignedIn, incident: Incident, form: z.infer<typeof Form>): Promise<FastifyReply> {
    const { choice, reason, digest } = form;
    request.session.pendingChoice = { incidentId: incident.id, choice, reason, digest, at: Date.now() };
    await request.session.save();
    return reply.code(200).send(stepUpPage(frameFor(request, who, config), incident, 'isolate', `/approvals/${incident.id}?confirm=1`));
  }
}
