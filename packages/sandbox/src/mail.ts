import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { simpleParser, type ParsedMail } from 'mailparser';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { z } from 'zod';
import { faultQueue, type Faults } from './faults.ts';
import { persisted } from './persisted.ts';

const times = z.int().positive().optional();
const atStage = {
  /** After the login, the sender, a recipient, or the whole content. */
  stage: z.enum(['auth', 'mail', 'rcpt', 'data']),
  /** Only this recipient; for the stage `rcpt`. */
  recipient: z.string().optional(),
  /** Whether the mail is kept all the same; for the stage `data`. */
  stored: z.boolean().optional(),
  times,
};
/** How the stand-in is to misbehave: `times` mails (for `down` connections), or all until it is cleared. */
export const MailFault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('reply'), code: z.int().min(400).max(599), ...atStage }),
  z.strictObject({ kind: z.literal('drop'), ...atStage }),
  z.strictObject({ kind: z.literal('hang'), ...atStage }),
  z.strictObject({ kind: z.literal('slow'), delayMs: z.int().positive(), ...atStage }),
  z.strictObject({ kind: z.literal('down'), times }),
]);
export type MailFault = z.infer<typeof MailFault>;
type Stage = z.infer<typeof atStage.stage>;

/** One delivery of a mail. `answered` is whether the sender was told that it was taken, as far as this side had a say. */
export type Copy = { at: string; answered: boolean };

/** A mail as it was received; copies of one Message-ID to the same people are one mail with several deliveries. */
export interface ReceivedMail {
  id: string;
  messageId?: string | undefined;
  inReplyTo?: string | undefined;
  references: string[];
  from: string;
  to: string;
  /** The envelope's recipients, which alone decide who receives it. */
  recipients: string[];
  subject: string;
  text: string;
  html?: string | undefined;
  /** Those that tell machines what kind of mail it is, by lower-case name. */
  headers: Record<string, string>;
  receivedAt: string;
  deliveries: number;
  /** The deliveries one by one. */
  copies: Copy[];
}

export interface Mail extends AsyncDisposable {
  readonly port: number;
  /** For `SMTP_URL`-like settings. */
  readonly url: string;
  /** Oldest first. */
  mails(): ReceivedMail[];
  readonly faults: Faults<MailFault>;
  close(): Promise<void>;
}

export interface MailOptions {
  /** A free one by default. */
  port?: number;
  /** Keeps the mails over restarts. */
  stateFile?: string;
}

/** A real SMTP server on loopback that keeps what it receives. It offers no TLS and accepts any login, or none. */
export async function startMail({ port = 0, stateFile }: MailOptions = {}): Promise<Mail> {
  const initial: ReceivedMail[] = [];
  const state = persisted(stateFile, initial);
  const faults = faultQueue<MailFault>();
  const sockets = new Map<number, Socket>();
  /** Connections that this side ended. */
  const cut = new WeakSet<Socket>();
  const end = (socket: Socket): void => {
    cut.add(socket);
    socket.destroy();
  };

  const keep = (parsed: ParsedMail, session: SMTPServerSession): Copy => {
    const mail = received(parsed, session, String(state.value.length + 1));
    const sameMail = (other: ReceivedMail): boolean =>
      other.messageId === mail.messageId && other.recipients.join() === mail.recipients.join();
    const earlier = mail.messageId === undefined ? undefined : state.value.find(sameMail);
    const copy = { at: mail.receivedAt, answered: false };
    (earlier ?? mail).copies.push(copy);
    if (earlier) earlier.deliveries++;
    else state.value.push(mail);
    state.save();
    return copy;
  };

  /** `undefined` when the stage is to go on as usual. */
  const take = (stage: Stage, recipient?: string) => {
    const fault = faults.take(
      (candidate) =>
        candidate.kind !== 'down' &&
        candidate.stage === stage &&
        (candidate.recipient === undefined || candidate.recipient === recipient),
    );
    return fault?.kind === 'down' ? undefined : fault;
  };
  const answer = (
    fault: ReturnType<typeof take>,
    session: SMTPServerSession,
    reply: (err?: Error | null) => void,
  ): void => {
    if (!fault) reply();
    else if (fault.kind === 'reply') reply(Object.assign(new Error('asked to refuse'), { responseCode: fault.code }));
    else if (fault.kind === 'slow') setTimeout(reply, fault.delayMs).unref();
    else if (fault.kind === 'drop') {
      const socket = sockets.get(session.remotePort);
      if (socket) end(socket);
    }
    // and a hang says nothing
  };

  const server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    size: 16 * 1024 * 1024,
    onAuth: (auth, session, reply) =>
      answer(take('auth'), session, (err) => (err ? reply(err) : reply(null, { user: auth.username ?? 'anyone' }))),
    onMailFrom: (_, session, reply) => answer(take('mail'), session, reply),
    onRcptTo: ({ address }, session, reply) => answer(take('rcpt', address), session, reply),
    onData(stream, session, reply) {
      const socket = sockets.get(session.remotePort);
      const receive = async (): Promise<void> => {
        const parsed = await simpleParser(stream);
        const fault = take('data');
        const copy = !fault || fault.kind === 'slow' || fault.stored ? keep(parsed, session) : undefined;
        answer(fault, session, (error) => {
          if (copy && !error && socket && !cut.has(socket)) {
            copy.answered = true;
            state.save();
          }
          reply(error);
        });
      };
      receive().catch(reply);
    },
  });
  server.server.on('connection', (socket: Socket) => {
    if (faults.take(({ kind }) => kind === 'down')) return end(socket);
    const { remotePort = 0 } = socket;
    sockets.set(remotePort, socket);
    socket.once('close', () => sockets.delete(remotePort));
    return undefined;
  });
  server.on('error', () => undefined); // of one connection, as after a drop; a failed start is noticed below
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');

  const address = server.server.address();
  if (address === null || typeof address === 'string') throw new Error('the SMTP stand-in has no port');
  const close = async (): Promise<void> => {
    for (const socket of sockets.values()) end(socket);
    await new Promise<void>((resolve) => server.close(resolve));
  };
  return {
    port: address.port,
    url: `smtp://127.0.0.1:${address.port}`,
    mails: () => state.value,
    faults: {
      ...faults,
      add(fault) {
        faults.add(fault);
        if (fault.kind === 'down') for (const socket of sockets.values()) end(socket); // also who is connected already
      },
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function received(parsed: ParsedMail, session: SMTPServerSession, id: string): ReceivedMail {
  const to = Array.isArray(parsed.to) ? parsed.to : parsed.to ? [parsed.to] : [];
  return {
    id,
    messageId: parsed.messageId,
    inReplyTo: parsed.inReplyTo,
    references: [parsed.references ?? []].flat(),
    from: parsed.from?.text ?? '',
    to: to.map(({ text }) => text).join(', '),
    recipients: session.envelope.rcptTo.map((recipient) => recipient.address).sort(),
    subject: parsed.subject ?? '',
    text: parsed.text?.trimEnd() ?? '',
    html: parsed.html === false ? undefined : parsed.html,
    headers: Object.fromEntries(
      parsed.headerLines
        .filter(({ key }) => OF_INTEREST.test(key))
        .map(({ key, line }) => [
          key,
          line
            .slice(line.indexOf(':') + 1)
            .replace(/\r?\n[ \t]+/g, ' ')
            .trim(),
        ]),
    ),
    receivedAt: new Date().toISOString(),
    deliveries: 1,
    copies: [],
  };
}

const OF_INTEREST = /^(date|reply-to|auto-submitted|importance|priority|list-.*|x-.*)$/;

/** The same controls over HTTP, for other processes: `GET mails`, `mail-faults`; `POST mail-faults`, `mail-faults/clear`. */
export function mailControls(app: FastifyInstance, mail: Mail): void {
  app.get('/_control/mails', () => mail.mails());
  app.get('/_control/mail-faults', () => mail.faults.list());
  app.post('/_control/mail-faults', (request, reply) => {
    const fault = MailFault.safeParse(request.body);
    if (!fault.success) return reply.code(400).send({ error: z.prettifyError(fault.error) });
    mail.faults.add(fault.data);
    return mail.faults.list();
  });
  app.post('/_control/mail-faults/clear', () => {
    mail.faults.clear();
    return [];
  });
}
