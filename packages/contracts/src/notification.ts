import { z } from 'zod';
import { defineEvent, type EventOf } from './event.ts';

const notification = z.object({
  incidentId: z.string(),
  channel: z.enum(['slack', 'email']),
  /** What was told: `incident` for the first message, else the id of the event that was told. */
  occasion: z.string().max(128),
});

/** A channel took the message. `reference` is how the channel names it: Slack's `ts`, a Message-ID. */
export const NotificationSent = defineEvent(
  'notification.sent',
  notification.extend({ target: z.string().max(320), reference: z.string().max(512) }),
);
/** A channel will never take this message, and why. */
export const NotificationFailed = defineEvent(
  'notification.failed',
  notification.extend({ target: z.string().max(320), explanation: z.string().max(1000) }),
);
/** A channel did not take the question in time, so the other channels tell its approvers. */
export const NotificationOverdue = defineEvent(
  'notification.overdue',
  notification.extend({ explanation: z.string().max(1000) }),
);
export type NotificationSent = EventOf<typeof NotificationSent>;
