import type { EndpointLog, Handler } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import type { Logger } from '@cordon/service';
import { createBackoff, later } from './backoff.ts';
import { MailError, type Mailer } from './email.ts';
import { findIncident, isLongOver } from './find-incident.ts';
import { attempt, type Journal, journalKey } from './journal.ts';
import type { Numbers } from './numbers.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { isMailed, type Mailing, mailingFor } from './mailing.ts';
import { type About, FIRST, recordFailed, recordSent } from './record.ts';
import { renderMail } from './render-email.ts';

type Parts = { mailer: Mailer; log: EndpointLog; journal: Journal; numbers: Numbers; publicUrl: string };

const MISCONFIGURED_PAUSE_MS = 60_000;
const DEFERRED_MIN_MS = 5000;
const DEFERRED_MAX_MS = 15 * 60_000;

/** Mails the question, and then what becomes of it, once to each recipient; every mail shows the incident as it stands. */
export function mailOnNews({ mailer, log: endpointLog, journal, numbers, publicUrl }: Parts): Handler<StoredEvent> {
  const inTurn = oneAtATime();
  const backoff = createBackoff({ firstMs: 1000, maxMs: 60_000 });
  /** Mailed, but the broker did not take the record yet: when the message comes back, it is not mailed again. */
  const unrecorded = new Map<string, string>();

  return async (event, { log }) => {
    if (!isMailed(event)) return;
    await inTurn(`${event.tenantId}/${event.endpointId}`, async () => {
      const incident = await findIncident(endpointLog, event);
      if (!incident || isLongOver(incident, event, log)) return;
      const mailing = mailingFor(event, incident, mailer.recipients);
      if (!mailing) return;
      let deferred: Error | undefined;
      for (const target of mailing.to) {
        try {
          // A follow-up may overtake its question, where that was deferred.
          if (mailing.kind === 'question' || mailing.kind === 'follow-up')
            await sendOnce(incident, { kind: 'question' }, FIRST, target, event, log);
          if (mailing.kind !== 'question') await sendOnce(incident, mailing, event.id, target, event, log);
        } catch (error) {
          if (!(error instanceof MailError) || error.failure.kind !== 'deferred') throw error;
          deferred ??= later(growingDelayMs(event), error.failure.reason, error);
        }
      }
      if (deferred) throw deferred;
    });
  };

  async function sendOnce(
    incident: Incident,
    { kind, notice }: Omit<Mailing, 'to'>,
    occasion: string,
    target: string,
    event: StoredEvent,
    log: Logger,
  ): Promise<void> {
    const sentAs = (which: string): string | undefined =>
      incident.sent.find((sent) => sent.channel === 'email' && sent.occasion === which && sent.target === target)
        ?.reference;
    if (sentAs(occasion) !== undefined) return;
    const key = journalKey('email', incident.id, occasion, Buffer.from(target).toString('base64url'));
    const kept = await journal.find(key);
    if (kept?.entry.reference !== undefined || kept?.entry.refused) return;

    const about: About = { incident, channel: 'email', occasion, target };
    const rootId = mailer.messageId(incident.id, 'question');
    const thread = {
      messageId: kind === 'question' ? rootId : mailer.messageId(incident.id, event.id),
      root: kind === 'follow-up' ? (sentAs(FIRST) ?? rootId) : undefined,
    };
    let reference = unrecorded.get(key);
    try {
      const waitMs = reference === undefined ? backoff.remainingMs() : 0;
      if (waitMs > 0) throw later(waitMs, 'mail is paused');
      reference ??= await mailer.send(target, renderMail(incident, publicUrl, kind, notice), thread);
      unrecorded.set(key, reference);
      backoff.succeeded();
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
        await journal.settle(key, { ...attempt(1), refused: { reason: failure.reason, seq: event.seq } });
        return;
      }
      throw waitFor(error, log);
    }
    await recordSent(endpointLog, about, reference);
    await journal.settle(key, { ...attempt(1), reference });
    unrecorded.delete(key);
    numbers.sent('email', event.time);
    log.info({ incidentId: incident.id, occasion, target }, 'mailed');
  }

  /** A deferral is one recipient's; everything else stops all mail for a while. */
  function waitFor(error: MailError, log: Logger): Error {
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

/** Half as long as it has waited already: grows by itself, and survives a restart. */
function growingDelayMs(event: StoredEvent): number {
  const waitedMs = Date.now() - Date.parse(event.time);
  return Math.min(DEFERRED_MAX_MS, Math.max(DEFERRED_MIN_MS, waitedMs / 2));
}
