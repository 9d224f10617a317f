import type { EndpointLog } from '@cordon/bus';
import { eventId, NotificationFailed, NotificationSent, type StoredEvent } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import type { Channel } from './numbers.ts';

/** The first message of an incident in a channel; all others are told by what they are about. */
export const FIRST = 'incident';

export type About = { incident: Incident; channel: Channel; occasion: string; target: string };

export const SOURCE = '/cordon/notifier';

/** Puts into the log that a channel took a message. */
export async function recordSent(log: EndpointLog, about: About, reference: string): Promise<void> {
  const { incident, channel, occasion, target } = about;
  await log.append(
    NotificationSent.create({
      id:
        channel === 'slack'
          ? slackNotificationId(incident.id, occasion)
          : eventId('notification.sent', incident.id, channel, occasion, target),
      source: SOURCE,
      at: new Date(),
      endpoint: incident,
      data: { incidentId: incident.id, channel, occasion, target, reference },
    }),
  );
}

/** Puts into the log that a channel will never take a message. */
export async function recordFailed(
  log: EndpointLog,
  about: About,
  event: StoredEvent,
  explanation: string,
): Promise<void> {
  const { incident, channel, occasion, target } = about;
  await log.append(
    NotificationFailed.create({
      id: eventId('notification.failed', incident.id, channel, occasion, target, String(event.seq)),
      source: SOURCE,
      at: new Date(),
      endpoint: incident,
      data: { incidentId: incident.id, channel, occasion, target, explanation: explanation.slice(0, 1000) },
    }),
  );
}

/** One message to Slack, however often it is tried. Also the mark by which it is found again. */
export function slackNotificationId(incidentId: string, occasion: string): string {
  return eventId('notification.sent', incidentId, 'slack', occasion);
}
