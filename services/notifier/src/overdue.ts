import type { Deadline, EndpointLog, Handler } from '@cordon/bus';
import { eventId, NotificationOverdue } from '@cordon/contracts';
import type { Incident } from '@cordon/incident';
import { isAskedAgain } from './moments.ts';
import type { Channel } from './numbers.ts';
import { FIRST, SOURCE } from './record.ts';

const EXPLANATIONS: Record<Channel, string> = {
  slack: 'Slack did not take the question in time, so it is asked again by mail.',
  email: 'No mail with the question was taken in time, so it is asked again in Slack.',
};

/**
 * Which channels nobody can have got the open question through. That they could not be reached becomes an event, by which
 * the other channel tells the question's contacts.
 */
export function overdue(incident: Incident | undefined, incidentId: string, now: Date) {
  const { question } = incident ?? {};
  if (incident?.id !== incidentId || incident.status !== 'asked' || !question) return [];
  const asked = incident.history.find(({ type, at }) => type === 'approval.requested' && at === question.askedAt);
  const isAgain = asked !== undefined && isAskedAgain(incident.history, asked.seq);
  const occasions: Record<Channel, string> = isAgain
    ? { slack: `moment:${asked.seq}`, email: question.eventId }
    : { slack: FIRST, email: FIRST };
  const silent = (['slack', 'email'] as const).filter(
    (channel) => !incident.sent.some((sent) => sent.channel === channel && sent.occasion === occasions[channel]),
  );
  return silent.map((channel) =>
    NotificationOverdue.create({
      id: eventId('notification.overdue', question.eventId, channel),
      source: SOURCE,
      at: now,
      endpoint: incident,
      data: { incidentId, channel, occasion: occasions[channel], explanation: EXPLANATIONS[channel] },
    }),
  );
}

/** Some seconds after a question: looks whether it reached people, through both channels. */
export function lookForOverdue(log: EndpointLog): Handler<Deadline> {
  return async (deadline, context) => {
    const { incident } = (await log.load(deadline)).state;
    for (const event of overdue(incident, deadline.incidentId, new Date())) {
      await log.append(event);
      context.log.warn(
        { incidentId: deadline.incidentId, id: event.id },
        'a channel did not take the question in time',
      );
    }
  };
}
