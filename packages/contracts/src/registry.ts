import { z } from 'zod';
import { ApprovalDecided, ApprovalEscalated, ApprovalReminded, ApprovalRequested, ApprovalVoted } from './approval.ts';
import { DetectionRaised } from './detection.ts';
import { type Endpoint, isSubjectToken } from './event.ts';
import * as isolation from './isolation.ts';
import { NotificationFailed, NotificationOverdue, NotificationSent } from './notification.ts';
import { PolicyChanged } from './policy.ts';

/** Every event there is. Types, subjects, JSON Schema and the AsyncAPI document derive from this one list. */
export const CordonEvent = z.discriminatedUnion('type', [
  DetectionRaised.schema,
  ApprovalRequested.schema,
  ApprovalVoted.schema,
  ApprovalReminded.schema,
  ApprovalEscalated.schema,
  ApprovalDecided.schema,
  isolation.IsolationRequested.schema,
  isolation.IsolationPending.schema,
  isolation.IsolationConfirmed.schema,
  isolation.IsolationUnconfirmed.schema,
  isolation.IsolationFailed.schema,
  isolation.IsolationRefused.schema,
  isolation.IsolationHeld.schema,
  isolation.IsolationDrifted.schema,
  isolation.IsolationSimulated.schema,
  isolation.ReleaseRequested.schema,
  isolation.ReleaseAccepted.schema,
  isolation.ReleasePending.schema,
  isolation.ReleaseConfirmed.schema,
  isolation.ReleaseUnconfirmed.schema,
  isolation.ReleaseFailed.schema,
  isolation.ReleaseSimulated.schema,
  NotificationSent.schema,
  NotificationFailed.schema,
  NotificationOverdue.schema,
  PolicyChanged.schema,
]);
export type CordonEvent = z.infer<typeof CordonEvent>;
export type EventType = CordonEvent['type'];

/** An event with its place in the log. */
export type StoredEvent = CordonEvent & { seq: number };

/**
 * What approval alone says, and signs: whoever acts on such an event believes its signature, and not that it is there.
 * Others may be able to write to the broker.
 */
const SIGNED = ['approval.requested', 'approval.voted', 'approval.decided', 'release.requested'] as const;
export type SignedEvent = CordonEvent & { type: (typeof SIGNED)[number] };

/** Whether an event, or one of a later version, has to be signed to be believed. */
export function hasToBeSigned<Event extends { type: string }>(
  event: Event,
): event is Event & { type: SignedEvent['type'] } {
  return SIGNED.some((type) => type === event.type);
}

/** The names of all event types. */
export const EVENT_TYPES: EventType[] = CordonEvent.options.map((option) => option.shape.type.value);

type Entity = EventType extends `${infer Name}.${string}` ? Name : never;

/** The subject of an event type on one endpoint; a `>` gives a filter. */
export function subjectOf({ tenantId, endpointId }: Endpoint, tail: EventType | `${Entity}.>` | '>'): string {
  return `cordon.events.${tenantId}.${endpointId}.${tail}`;
}

/** Subject filter for one event type, all of an entity, or `>` for all, on every endpoint. */
export function filterOf(tail: EventType | `${Entity}.>` | '>'): string {
  return subjectOf({ tenantId: '*', endpointId: '*' }, tail);
}

/** The endpoint and the type that a subject names, or nothing where it is no event's subject. */
export function parseSubject(subject: string): { endpoint: Endpoint; type: string } | undefined {
  const [root, events, tenantId = '', endpointId = '', entity, verb, ...more] = subject.split('.');
  if (root !== 'cordon' || events !== 'events' || !entity || !verb || more.length > 0) return undefined;
  if (!isSubjectToken(tenantId) || !isSubjectToken(endpointId)) return undefined;
  return { endpoint: { tenantId, endpointId }, type: `${entity}.${verb}` };
}
