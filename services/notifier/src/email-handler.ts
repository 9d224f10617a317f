import type { EndpointLog, Handler } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import { peopleFirst } from '@cordon/service';
import { later } from './backoff.ts';
import { MailError, type Mailer } from './email.ts';
import { findIncident, isLongOver } from './find-incident.ts';
import type { Journal } from './journal.ts';
import { createMailOnce, type Letter } from './mail-once.ts';
import type { Numbers } from './numbers.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { isMailed, type Mailing, mailingFor } from './mailing.ts';
import { FIRST } from './record.ts';
import { renderMail } from './render-email.ts';

type Parts = { mailer: Mailer; log: EndpointLog; journal: Journal; numbers: Numbers; publicUrl: string };

const DEFERRED_MIN_MS = 5000;
const DEFERRED_MAX_MS = 15 * 60_000;

/** Mails the question, and then what becomes of it, once to each recipient; every mail shows the incident as it stands. */
export function mailOnNews({ mailer, log: endpointLog, journal, numbers, publicUrl }: Parts): Handler<StoredEvent> {
  const inTurn = oneAtATime();
  const mailOnce = createMailOnce({ mailer, log: endpointLog, journal, numbers });

  return async (event, { log }) => {
    if (!isMailed(event)) return;
    await inTurn(`${event.tenantId}/${event.endpointId}`, async () => {
      await peopleFirst(event); // nobody reads a mail within a second, but Slack's message about the same event
      const incident = await findIncident(endpointLog, event);
      if (!incident || isLongOver(incident, event, log)) return;
      const mailing = mailingFor(event, incident, mailer.recipients);
      if (!mailing) return;
      let deferred: Error | undefined;
      for (const target of mailing.to) {
        try {
          // A follow-up may overtake its question, where that was deferred.
          if (mailing.kind === 'question' || mailing.kind === 'follow-up')
            await mailOnce(letterOf(incident, { kind: 'question' }, FIRST, target, event), event, log);
          if (mailing.kind !== 'question')
            await mailOnce(letterOf(incident, mailing, event.id, target, event), event, log);
        } catch (error) {
          if (!(error instanceof MailError) || error.failure.kind !== 'deferred') throw error;
          deferred ??= later(growingDelayMs(event), error.failure.reason, error);
        }
      }
      if (deferred) throw deferred;
    });
  };

  function letterOf(
    incident: Incident,
    { kind, notice }: Omit<Mailing, 'to'>,
    occasion: string,
    target: string,
    event: StoredEvent,
  ): Letter {
    const rootId = mailer.messageId(incident.id, 'question');
    const asked = incident.sent.find(
      (sent) => sent.channel === 'email' && sent.occasion === FIRST && sent.target === target,
    );
    return {
      about: { incident, channel: 'email', occasion, target },
      thread: {
        messageId: kind === 'question' ? rootId : mailer.messageId(incident.id, event.id),
        root: kind === 'follow-up' ? (asked?.reference ?? rootId) : undefined,
      },
      content: () => renderMail(incident, publicUrl, kind, notice),
    };
  }
}

/** Half as long as it has waited already: grows by itself, and survives a restart. */
function growingDelayMs(event: StoredEvent): number {
  const waitedMs = Date.now() - Date.parse(event.time);
  return Math.min(DEFERRED_MAX_MS, Math.max(DEFERRED_MIN_MS, waitedMs / 2));
}
