export { ApprovalDecided, ApprovalRequested, Person } from './approval.ts';
export { decodeEvent, encodeEvent } from './cloud-event.ts';
export { Detection, DetectionRaised, RawRecord, severityName } from './detection.ts';
export { Endpoint, eventId, type EventInput, type EventOf, sha256, SubjectToken } from './event.ts';
export {
  IsolationConfirmed,
  IsolationFailed,
  IsolationPending,
  IsolationRefused,
  IsolationRequested,
  IsolationSimulated,
  IsolationUnconfirmed,
  ReleaseAccepted,
  ReleaseConfirmed,
  ReleaseFailed,
  ReleasePending,
  ReleaseRequested,
  ReleaseSimulated,
  ReleaseUnconfirmed,
} from './isolation.ts';
export { NotificationFailed, NotificationSent } from './notification.ts';
export {
  CordonEvent,
  EVENT_TYPES,
  type EventType,
  filterOf,
  parseSubject,
  type StoredEvent,
  subjectOf,
} from './registry.ts';
