import type { Deadline, EndpointLog, Handler, View } from '@cordon/bus';
import { eventId, NotificationOverdue } from '@cordon/contracts';
import { describeMoment, type Incident } from '@cordon/incident';
import { occasionsOf } from './moments.ts';
import type { Channel } from './numbers.ts';
import { SOURCE } from './record.ts';

const CHANNELS: readonly Channel[] = ['slack', 'email'];

/**
 * The channels through which nobody can have got the open question, as events. By these the other channel tells the
 * question's contacts.
 */
export function overdue(incident: Incident | undefined, incidentId: string, now: Date) {
  const { question } = incident ?? {};
  if (incident?.id !== incidentId || incident.status !== 'asked' || !question) return [];
  const occasions = occasionsOf(incident);
  return CHANNELS.filter(
    (channel) => !incident.sent.some((sent) => sent.channel === channel && sent.occasion === occasions[channel]),
  ).map((channel) =>
    NotificationOverdue.create({
      id: eventId('notification.overdue', question.eventId, channel),
      source: SOURCE,
      at: now,
      endpoint: incident,
      data: { incidentId, channel, occasion: occasions[channel], explanation: explanationOf(channel) },
    }),
  );
}

function explanationOf(channel: Channel): string {
  return describeMoment({ seq: 0, at: '', type: 'notification.overdue', note: channel }).what;
}

/** Some seconds after a question: looks whether it reached people, through both channels. */
export function lookForOverdue(log: EndpointLog): Handler<Deadline> {
  return async (deadline, context) => {
    const { incidentId } = deadline;
    const isOverdue = ({ state }: View): boolean => overdue(state.incident, incidentId, new Date()).length > 0;
    // Nearly every question reached everybody, which this process knows already.
    if (!isOverdue(await log.load(deadline, 0))) return;
    const { incident } = (await log.load(deadline)).state;
    for (const event of overdue(incident, incidentId, new Date())) {
      await log.append(event);
      context.log.warn({ incidentId, id: event.id }, 'a channel did not take the question in time');
    }
  };
}
