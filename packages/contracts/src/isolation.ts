import { z } from 'zod';
import { Person } from './approval.ts';
import { defineEvent, type EventOf } from './event.ts';

const about = z.object({ incidentId: z.string() });
/** `code` is for machines, `explanation` is the sentence a person reads. */
const explained = about.extend({ code: z.string(), explanation: z.string() });

/** The EDR accepted the wish; the endpoint has not confirmed it. */
export const IsolationRequested = defineEvent('isolation.requested', about.extend({ alreadyWanted: z.boolean() }));
/** The endpoint is offline: the wish applies when it returns. */
export const IsolationPending = defineEvent('isolation.pending', explained);
/** The sensor itself reports isolated. The only event that may be shown as "isolated". */
export const IsolationConfirmed = defineEvent('isolation.confirmed', about);
/** The endpoint is online and did not report isolated in time. Cordon keeps watching. */
export const IsolationUnconfirmed = defineEvent('isolation.unconfirmed', explained);
/** The EDR said no, or cannot. */
export const IsolationFailed = defineEvent('isolation.failed', explained);
/** One of Cordon's own guards said no. */
export const IsolationRefused = defineEvent('isolation.refused', explained);
/** Dry run: everything was done but the call. */
export const IsolationSimulated = defineEvent('isolation.simulated', explained);

/** A person asked for the way back. */
export const ReleaseRequested = defineEvent(
  'release.requested',
  about.extend({
    requestedBy: Person,
    channel: z.enum(['page']),
    reason: z.string().max(500).optional(),
  }),
);
/** The EDR accepted the release; the endpoint has not confirmed it. */
export const ReleaseAccepted = defineEvent('release.accepted', about);
export const ReleasePending = defineEvent('release.pending', explained);
/** The sensor itself reports connected. */
export const ReleaseConfirmed = defineEvent('release.confirmed', about);
export const ReleaseUnconfirmed = defineEvent('release.unconfirmed', explained);
export const ReleaseFailed = defineEvent('release.failed', explained);
export const ReleaseSimulated = defineEvent('release.simulated', explained);

export type IsolationRequested = EventOf<typeof IsolationRequested>;
export type ReleaseRequested = EventOf<typeof ReleaseRequested>;
export type ReleaseAccepted = EventOf<typeof ReleaseAccepted>;
