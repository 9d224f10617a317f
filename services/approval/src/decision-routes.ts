import {
  decide,
  type EndpointState,
  factsDigest,
  hasVoted,
  type Incident,
  isSamePerson,
  objectionTo,
  type Refusal,
} from '@cordon/incident';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ACTING, approverWhoActs, currentIncident, frameFor, LOOKING, whoActs, whoLooks } from './access.ts';
import { confirmPage, stepUpPage } from './confirm-page.ts';
import { type Ability, incidentPage, type Returned } from './incident-page.ts';
import { listPage } from './list-page.ts';
import { csrfToken } from './protect.ts';
import { Reason } from './reason.ts';
import { explain, FACTS_CHANGED } from './refusals.ts';
import type { Parts } from './server.ts';
import { type PendingChoice, SESSION_COOKIE, type SignedIn } from './session-store.ts';
import { isFresh } from './sign-in.ts';

const Form = z.strictObject({
  csrf: z.string(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  choice: z.enum(['isolate', 'leave']),
  reason: Reason,
  /** What the reader's passkey signed. */
  passkey: z.string().max(32_768).optional(),
});
type Form = z.infer<typeof Form>;
const CHOICE_KEPT_MS = 10 * 60_000;

/** The list, the incident with its question, the confirmation and the decision. */
export function decisionRoutes(app: FastifyInstance, parts: Parts): void {
  const { config, incidents, board, passkeys, policy, log, decisions } = parts;
  app.get('/', { config: LOOKING }, async (request, reply) => {
    const who = await whoLooks(request, reply);
    return who ? listPage(frameFor(request, who, config), board.cards()) : reply;
  });

  app.get<{ Params: { id: string }; Querystring: { confirm?: string } }>(
    '/approvals/:id',
    { config: LOOKING },
    async (request, reply) => {
      const who = await whoLooks(request, reply);
      if (!who) return reply;
      const incident = await currentIncident(incidents, request.params.id);
      if (!incident) return reply.callNotFound();
      const pending = request.query.confirm ? pendingChoice(request, incident) : undefined;
      if (!pending || pending.choice === 'release' || incident.status !== 'asked' || who.role !== 'approver') {
        return showIncident(request, who, parts, incident);
      }
      const { choice, reason, digest } = pending;
      if (digest === factsDigest(incident)) return confirm(request, who, incident, { choice, reason });
      return showIncident(request, who, parts, incident, { message: FACTS_CHANGED, choice, reason });
    },
  );

  app.post<{ Params: { id: string } }>('/approvals/:id/review', { config: ACTING }, async (request, reply) => {
    const answer = await read(request, reply);
    if (!answer) return reply;
    const { who, incident, form } = answer;
    if (form.choice === 'isolate' && !isFresh(who, Date.now())) return stepUp(request, who, incident, form);
    return confirm(request, who, incident, form);
  });

  app.post<{ Params: { id: string } }>('/approvals/:id/decide', { config: ACTING }, async (request, reply) => {
    const answer = await read(request, reply);
    if (!answer) return reply;
    const { who, incident, form } = answer;
    if (form.choice === 'isolate' && !isFresh(who, Date.now())) return stepUp(request, who, incident, form);

    const signed = { incidentId: incident.id, factsDigest: form.digest };
    const proof = form.passkey ? await passkeys.check(who.person, form.passkey, signed) : undefined;
    const command = {
      incidentId: incident.id,
      outcome: form.choice,
      person: who.person,
      groups: who.groups,
      accounts: policy.accountsOf(who.person),
      channel: 'page' as const,
      reason: form.reason,
      factsDigest: form.digest,
      authenticatedAt: new Date(who.authenticatedAt).toISOString(),
      ...(proof && { passkey: proof }),
    };
    const decideNow = (state: EndpointState) => decide(state, command, policy.fallback(), new Date());
    const result = await incidents.transact(incident, decideNow, incident.lastSeq);
    if ('refused' in result) return refused(request, reply, who, incident, form, result.refused);
    decisions.inc({ outcome: form.choice });
    const [event] = result.events;
    log.info({ incidentId: incident.id, outcome: form.choice, subject: who.person.subject }, event?.type ?? 'decided');
    return reply.redirect(`/approvals/${incident.id}`, 303);
  });

  app.post('/logout', { config: ACTING }, async (request, reply) => {
    const form = z.object({ csrf: z.string() }).safeParse(request.body);
    if (!whoActs(request, reply, config, form.data ?? {}, ['logout'])) return reply;
    await request.session.destroy();
    return reply
      .clearCookie(SESSION_COOKIE, { path: '/', secure: true })
      .header('clear-site-data', '"cookies", "storage"')
      .redirect('/signed-out', 303);
  });

  /** Who posted what about which incident; answers and returns nothing where it may not go on. */
  async function read(
    request: FastifyRequest<{ Params: { id: string } }>,
    reply: FastifyReply,
  ): Promise<{ who: SignedIn; incident: Incident; form: Form } | undefined> {
    const parsed = Form.safeParse(request.body);
    const given = z.looseObject({}).safeParse(request.body).data ?? {};
    const who = approverWhoActs(request, reply, config, given, ['decide', request.params.id]);
    if (!who) return undefined;
    const incident = await currentIncident(incidents, request.params.id);
    if (!incident) {
      reply.callNotFound();
      return undefined;
    }
    if (incident.decision || incident.status !== 'asked') {
      refused(request, reply, who, incident, parsed.data, {
        because: incident.decision ? 'already_decided' : 'expired',
        incident,
      });
      return undefined;
    }
    if (!parsed.success) {
      const entered = z
        .object({ choice: z.string().optional().catch(undefined), reason: z.string().optional().catch(undefined) })
        .parse(given);
      const message = 'Choose yes or no, and give a reason of 5 to 500 characters.';
      reply.code(422).send(showIncident(request, who, parts, incident, { message, ...entered }));
      return undefined;
    }
    if (parsed.data.digest !== factsDigest(incident)) {
      refused(request, reply, who, incident, parsed.data, { because: 'facts_changed', incident });
      return undefined;
    }
    return { who, incident, form: parsed.data };
  }

  function refused(
    request: FastifyRequest,
    reply: FastifyReply,
    who: SignedIn,
    incident: Incident,
    form: Form | undefined,
    refusal: Refusal,
  ): FastifyReply {
    const now = 'incident' in refusal ? refusal.incident : incident;
    const own = isSamePerson(now.decision?.decidedBy, who.person);
    const isCounted = refusal.because === 'already_voted' && form?.choice === 'isolate';
    if (isCounted || (own && form?.choice === now.decision?.outcome))
      return reply.redirect(`/approvals/${incident.id}`, 303); // sent twice
    log.info({ incidentId: incident.id, because: refusal.because, subject: who.person.subject }, 'decision not taken');
    const { code, message } = explain(refusal, own);
    const entered = refusal.because === 'facts_changed' ? { choice: form?.choice, reason: form?.reason } : {};
    return reply.code(code).send(showIncident(request, who, parts, now, { message, ...entered }));
  }

  async function confirm(
    request: FastifyRequest,
    who: SignedIn,
    incident: Incident,
    choice: Pick<Form, 'choice' | 'reason'>,
  ): Promise<string> {
    const digest = factsDigest(incident);
    const proof = { csrf: csrfToken(request, config, 'decide', incident.id), digest };
    const isAsked = choice.choice === 'isolate' && incident.question?.terms?.passkey;
    const passkey = isAsked
      ? ((await passkeys.request(who.person, { incidentId: incident.id, factsDigest: digest })) ?? 'none')
      : undefined;
    return confirmPage(frameFor(request, who, config), incident, choice, { ...proof, passkey });
  }

  async function stepUp(
    request: FastifyRequest,
    who: SignedIn,
    incident: Incident,
    { choice, reason, digest }: Form,
  ): Promise<string> {
    await keepChoice(request, { incidentId: incident.id, choice, reason, digest, at: Date.now() });
    return stepUpPage(frameFor(request, who, config), incident, 'isolate', `/approvals/${incident.id}?confirm=1`);
  }
}

/** The incident's page, with what its reader may do. */
export function showIncident(
  request: FastifyRequest,
  who: SignedIn,
  { config, policy }: Pick<Parts, 'config' | 'policy'>,
  incident: Incident,
  returned?: Returned,
): string {
  const { role, person, groups } = who;
  const terms = incident.question?.terms ?? policy.fallback();
  const ability: Ability =
    role === 'approver'
      ? {
          role,
          csrf: csrfToken(request, config, 'decide', incident.id),
          digest: factsDigest(incident),
          objection: objectionTo(incident, { groups, accounts: policy.accountsOf(person) }, terms),
          hasVoted: hasVoted(incident, person),
        }
      : { role };
  return incidentPage(frameFor(request, who, config), incident, ability, returned);
}

/** Keeps a choice in the session while its owner signs in again. */
export async function keepChoice(request: FastifyRequest, choice: PendingChoice): Promise<void> {
  request.session.pendingChoice = choice;
  await request.session.save();
}

/** The choice kept about this incident, for ten minutes. */
export function pendingChoice(request: FastifyRequest, incident: Incident): PendingChoice | undefined {
  const pending = request.session.pendingChoice;
  return pending?.incidentId === incident.id && Date.now() - pending.at < CHOICE_KEPT_MS ? pending : undefined;
}
