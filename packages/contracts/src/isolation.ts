import { z } from 'zod';
import { Person } from './approval.ts';
import { defineEvent, type EventOf } from './event.ts';
import { Signature } from './signature.ts';

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
/** Too many machines were isolated lately: this one waits until more persons than usual say yes. */
export const IsolationHeld = defineEvent('isolation.held', explained);
/** The sensor stopped being isolated, and Cordon had no part in it. */
export const IsolationDrifted = defineEvent('isolation.drifted', explained);
/** Dry run: everything was done but the call. */
export const IsolationSimulated = defineEvent('isolation.simulated', explained);

/** The way back was asked for, by a person or because its time had come. */
export const ReleaseRequested = defineEvent(
  'release.requested',
  about.extend({
    requestedBy: Person.optional().describe('Absent where the policy releases after some time.'),
    channel: z.enum(['page', 'timer']),
    reason: z.string().max(500).optional(),
    policyVersion: z.string().optional(),
    /** After this it is not carried out any more. */
    validUntil: z.iso.datetime().optional(),
    signature: Signature.optional(),
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
