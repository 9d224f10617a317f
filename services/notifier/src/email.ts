import { Transform } from 'node:stream';
import { createTransport, type SendMailOptions } from 'nodemailer';
import { isLoopback, type MailSettings } from './config.ts';
import { classifyMailError, type MailFailure } from './mail-failure.ts';
import { patience } from './patience.ts';

export type MailContent = { subject: string; text: string; html: string; urgent: boolean };
/** What names a mail, and the mail that it follows. */
export type MailThread = { messageId: string; root?: string | undefined };

/** A mail was not taken; `failure` says what that means. */
export class MailError extends Error {
  override readonly name = 'MailError';
  readonly failure: MailFailure;
  constructor(failure: MailFailure, cause: unknown) {
    super(`mail: ${failure.reason}`, { cause });
    this.failure = failure;
  }
}

/** Every failure is a `MailError`. */
export interface Mailer {
  readonly recipients: readonly string[];
  /** Sends to one recipient. Returns the Message-ID, which some servers replace. */
  send(to: string, content: MailContent, thread: MailThread): Promise<string>;
  /** The Message-ID of one of our mails: always the same for the same parts. */
  messageId(...parts: string[]): string;
  close(): void;
}

/**
 * How long a mail may take. A server that looks into what it gets answers late, and who leaves before sends everything
 * twice: RFC 5321 asks for ten minutes, which is longer than a question can wait.
 */
export const ANSWER_MS = 60_000;

/** The configured SMTP server. Each mail has one recipient: they do not see each other, and each refusal is one person's. */
export function connectMailer({ server, requireTls, from, to }: MailSettings, answerMs = ANSWER_MS): Mailer {
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  const transport = createTransport({
    ...server,
    pool: true,
    requireTLS: requireTls && !server.secure,
    ignoreTLS: !requireTls && isLoopback(server.host),
    tls: { minVersion: 'TLSv1.2' },
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 86_400_000, // its timer fires before an answer is read that came while the process was stopped
    dnsTimeout: 5000,
    maxConnections: 2,
    maxMessages: 50,
    maxRequeues: 0,
    maxRecipients: 20,
    disableFileAccess: true,
    disableUrlAccess: true,
  });

  /** Mails, by their signals, that the server has in full. */
  const read = new WeakSet<AbortSignal>();
  transport.use('stream', ({ message, data: { signal } }, done) => {
    message.transform(inOnePiece);
    message.processFunc((content) => content.once('end', () => signal && read.add(signal)));
    done();
  });

  return {
    recipients: to,

    async send(recipient, { subject, text, html, urgent }, { messageId, root }) {
      using limit = patience(answerMs);
      const { signal } = limit;
      const mail: SendMailOptions = {
        from,
        to: { name: '', address: recipient },
        envelope: { from: from.address, to: [recipient] },
        subject,
        text,
        html,
        messageId,
        ...(root !== undefined && { inReplyTo: root, references: [root] }),
        ...(urgent && { priority: 'high' as const }),
        headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
        signal,
      };
      try {
        const { serverMessageId } = await transport.sendMail(mail);
        return serverMessageId ?? messageId;
      } catch (error) {
        throw new MailError(classifyMailError(error, read.has(signal)), error);
      }
    },

    messageId: (...parts) => `<${['cordon', ...parts].join('.').replace(/[^A-Za-z0-9._-]/gu, '-')}@${domain}>`,
    close: () => transport.close(),
  };
}

/** A mail comes in many small parts, and each of them would be a write of its own. */
function inOnePiece(): Transform {
  const parts: Buffer[] = [];
  return new Transform({
    transform(part: Buffer, _encoding, done) {
      parts.push(part);
      done();
    },
    flush: (done) => done(null, Buffer.concat(parts)),
  });
}
