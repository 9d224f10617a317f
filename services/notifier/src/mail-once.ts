import type { EndpointLog, MessageLog } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { createBackoff, later } from './backoff.ts';
import { ANSWER_MS, MailError, type MailContent, type Mailer, type MailThread } from './email.ts';
import { attempt, type Journal, journalKey, type Kept } from './journal.ts';
import type { Numbers } from './numbers.ts';
import { type About, recordFailed, recordSent } from './record.ts';

/** What is sent to whom, and why: one mail, however often it is tried. */
export type Letter = { about: About; thread: MailThread; content: () => MailContent };
export type MailOnce = (letter: Letter, event: StoredEvent, log: MessageLog) => Promise<void>;
type Parts = { mailer: Mailer; log: EndpointLog; journal: Journal; numbers: Numbers };

const MISCONFIGURED_PAUSE_MS = 60_000;
/** How long another process that began may still be about to finish. */
const IN_FLIGHT_MS = ANSWER_MS;
const LOOK_AGAIN_MS = 1500;

/**
 * Mails once. What is about to be sent is written down first, so that of two processes one sends. SMTP cannot be asked
 * what became of a mail: where an answer is missing, the mail is sent again under the same Message-ID, rather than never.
 */
export function createMailOnce({ mailer, log: endpointLog, journal, numbers }: Parts): MailOnce {
  const backoff = createBackoff({ firstMs: 1000, maxMs: 60_000 });
  /** What this process began and the broker did not let it end: it is known when that was, and whether it was sent. */
  const unended = new Map<string, { startedAt: string; reference?: string }>();

  return async (letter, event, log) => {
    const { incident, occasion, target } = letter.about;
    const key = journalKey('email', incident.id, occasion, Buffer.from(target).toString('base64url'));
    const isThis = (sent: (typeof incident.sent)[number]): boolean =>
      sent.channel === 'email' && sent.occasion === occasion && sent.target === target;
    if (!incident.sent.some(isThis)) await deliver(key, letter, event, log);
    unended.delete(key);
  };

  async function deliver(key: string, letter: Letter, event: StoredEvent, log: MessageLog): Promise<void> {
    const kept = await journal.find(key);
    if (kept?.entry.refused) return;
    const reference =
      kept?.entry.reference ?? unended.get(key)?.reference ?? (await send(key, kept, letter, event, log));
    if (reference === undefined) return;
    // Both at once: whichever is stored before a kill is enough to know that this was sent.
    await Promise.all([
      recordSent(endpointLog, letter.about, reference),
      kept?.entry.reference ?? journal.settle(key, { ...attempt(1), reference }),
    ]);
  }

  /** Returns what names the mail, or nothing where the server will never take it. */
  async function send(
    key: string,
    kept: Kept | undefined,
    { about, thread, content }: Letter,
    event: StoredEvent,
    log: MessageLog,
  ): Promise<string | undefined> {
    const { incident, occasion, target } = about;
    const waitMs = backoff.remainingMs();
    if (waitMs > 0) throw later(waitMs, 'mail is paused');
    const mail = content();
    const mine = await begin(key, kept, about, log);
    try {
      const reference = await mailer.send(target, mail, thread);
      unended.set(key, { startedAt: mine.entry.startedAt, reference });
      backoff.succeeded();
      numbers.sent('email', event.time);
      log.info({ incidentId: incident.id, occasion, target }, 'mailed');
      return reference;
    } catch (error) {
      if (!(error instanceof MailError)) throw error;
      const { failure } = error;
      numbers.count('email', failure.kind === 'refused' ? 'refused' : 'delayed');
      if (failure.kind === 'refused') {
        log.error(
          { target, reason: failure.reason, incidentId: incident.id },
          'the mail server refused this recipient',
        );
        await recordFailed(endpointLog, about, event, `The mail server refused the mail: ${failure.reason}`);
        await journal.settle(key, { ...mine.entry, refused: { reason: failure.reason, seq: event.seq } });
        return undefined;
      }
      const wait = waitFor(error, log);
      if (failure.kind === 'unknown') {
        await journal.replace(key, mine, { ...mine.entry, unknownSince: new Date().toISOString() });
        unended.delete(key);
      } else await journal.forget(key, mine);
      throw wait;
    }
  }

  /** Writes down that it is about to be sent, unless somebody else may be sending it. */
  async function begin(
    key: string,
    kept: Kept | undefined,
    { incident, occasion, target }: About,
    log: MessageLog,
  ): Promise<Kept> {
    const isOwn = kept !== undefined && unended.get(key)?.startedAt === kept.entry.startedAt;
    if (kept && !isOwn && kept.entry.unknownSince === undefined) {
      const mayTakeMs = Date.parse(kept.entry.startedAt) + IN_FLIGHT_MS - Date.now();
      if (mayTakeMs > 0) throw later(Math.min(mayTakeMs, LOOK_AGAIN_MS), 'another process may be mailing this');
    }
    const entry = attempt((kept?.entry.attempt ?? 0) + 1);
    unended.set(key, { startedAt: entry.startedAt });
    const mine = await (kept ? journal.replace(key, kept, entry) : journal.begin(key, entry));
    if (!mine) throw later(LOOK_AGAIN_MS, 'another process is mailing this');
    if (kept && !isOwn) {
      numbers.count('email', 'repeated');
      log.warn({ incidentId: incident.id, occasion, target }, 'mailed again, as no answer says whether it was taken');
    }
    return mine;
  }

  /** A deferral is one recipient's; everything else stops all mail for a while. */
  function waitFor(error: MailError, log: MessageLog): Error {
    const { failure } = error;
    if (failure.kind === 'deferred') return error;
    if (failure.kind === 'misconfigured') {
      log.error({ reason: failure.reason, fix: failure.fix }, 'mail cannot be sent until this is fixed');
      return later(backoff.failed(MISCONFIGURED_PAUSE_MS), failure.reason, error);
    }
    const delayMs = backoff.failed();
    log.warn({ reason: failure.reason, delayMs }, 'the mail server did not take a mail');
    return later(delayMs, failure.reason, error);
  }
}
