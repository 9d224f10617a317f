import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ACTING, approverWhoActs, frameFor, LOOKING, whoLooks } from './access.ts';
import { messagePage } from './message-page.ts';
import { passkeyPage } from './passkey-page.ts';
import { csrfToken } from './protect.ts';
import type { Parts } from './server.ts';
import { isFresh } from './sign-in.ts';

const Form = z.strictObject({ csrf: z.string(), passkey: z.string().max(32_768) });

/** People add their passkeys themselves, right after they signed in. */
export function passkeyRoutes(app: FastifyInstance, { config, passkeys, log }: Parts): void {
  app.get('/passkeys', { config: LOOKING }, async (request, reply) => {
    const who = await whoLooks(request, reply);
    if (!who) return reply;
    if (who.role !== 'approver') return reply.redirect('/', 302);
    const frame = frameFor(request, who, config);
    const known = await passkeys.of(who.person);
    if (!isFresh(who, Date.now())) return passkeyPage(frame, known);
    const options = await passkeys.creation(who.person);
    request.session.passkeyChallenge = options.challenge;
    await request.session.save();
    return passkeyPage(frame, known, { options, csrf: csrfToken(request, config, 'passkey') });
  });

  app.post('/passkeys', { config: ACTING }, async (request, reply) => {
    const given = z.looseObject({}).safeParse(request.body).data ?? {};
    const who = approverWhoActs(request, reply, config, given, ['passkey']);
    if (!who) return reply;
    const form = Form.safeParse(request.body).data;
    const { passkeyChallenge: challenge } = request.session;
    request.session.passkeyChallenge = undefined;
    await request.session.save();
    const isAdded =
      form && challenge !== undefined && isFresh(who, Date.now())
        ? await passkeys.add(who.person, form.passkey, challenge)
        : false;
    if (!isAdded) {
      const again = { href: '/passkeys', text: 'Try again' };
      return reply.code(422).send(messagePage('No passkey was added', 'What the browser sent does not fit.', again));
    }
    log.info({ subject: who.person.subject }, 'passkey added');
    return reply.redirect('/passkeys', 303);
  });
}
