export { accountName } from './account.ts';
export {
  ApprovalDecided,
  ApprovalEscalated,
  ApprovalReminded,
  ApprovalRequested,
  ApprovalVoted,
  Contacts,
  Person,
  Terms,
  Vote,
} from './approval.ts';
export { decodeEvent, encodeEvent } from './cloud-event.ts';
export { Detection, DetectionRaised, RawRecord, severityName } from './detection.ts';
export { Endpoint, eventId, type EventInput, type EventOf, sha256, SubjectToken } from './event.ts';
export {
  IsolationConfirmed,
  IsolationDrifted,
  IsolationFailed,
  IsolationHeld,
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
export { NotificationFailed, NotificationOverdue, NotificationSent } from './notification.ts';
export { POLICY_LOG, PolicyChanged } from './policy.ts';
export {
  CordonEvent,
  EVENT_TYPES,
  type EventType,
  filterOf,
  hasToBeSigned,
  parseSubject,
  type SignedEvent,
  type StoredEvent,
  subjectOf,
} from './registry.ts';
export {
  type Authenticity,
  authenticityOf,
  authenticityOfText,
  canonicalJson,
  forgeryOf,
  keyIdOf,
  Signature,
  signEvent,
  signText,
} from './signature.ts';
