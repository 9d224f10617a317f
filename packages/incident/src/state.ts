import type {
  ApprovalDecided,
  ApprovalRequested,
  Contacts,
  Detection,
  Endpoint,
  Person,
  Vote,
} from '@cordon/contracts';

/**
 * Where an incident stands.
 *
 * ```
 * new ─ asked ─┬─ left | expired                                            closed
 *              └─ approved ─┬─ refused | failed | simulated                 closed
 *                           ├─ held ─ asked (more persons have to agree)
 *                           └─ requested / pending / unconfirmed ─ contained
 * contained ─┬─ drifted ─ contained                                         closed for what is detected next
 *            └─ releasing ─ release_pending / release_unconfirmed / release_failed ─ released   closed
 * ```
 */
export type Status =
  | 'new'
  | 'asked'
  | 'left'
  | 'expired'
  | 'approved'
  | 'requested'
  | 'pending'
  | 'unconfirmed'
  | 'held'
  | 'contained'
  | 'drifted'
  | 'refused'
  | 'failed'
  | 'simulated'
  | 'releasing'
  | 'release_pending'
  | 'release_unconfirmed'
  | 'release_failed'
  | 'released';

/** What one detection showed, in the few fields that people and the fingerprint need. */
export type Finding = {
  /** Rule, file hash and command line: the same thing again has the same fingerprint. */
  fingerprint: string;
  title: string;
  commandLine?: string | undefined;
  filePath?: string | undefined;
  sha256?: string | undefined;
  /** The account that did it. */
  user?: string | undefined;
  firstAt: string;
  lastAt: string;
  count: number;
};

/** One line of an incident's history. */
export type Moment = {
  seq: number;
  at: string;
  type: string;
  by?: string | undefined;
  note?: string | undefined;
  /** Who in particular is to hear of it, beside those who hear of everything. */
  to?: Contacts | undefined;
};

export type Question = Omit<ApprovalRequested['data'], 'incidentId'> & {
  eventId: string;
  askedAt: string;
  /** Who said yes so far. */
  votes: Vote[];
  /** How many reminders were sent, and how many steps of escalation taken. */
  reminded: number;
  escalated: number;
  /** Said by who checked its signature: somebody else put it there, and nobody may say yes to it. */
  isForeign?: true;
};
export type DecisionRecord = Pick<ApprovalDecided['data'], 'outcome' | 'channel' | 'votes' | 'rule'> & {
  eventId: string;
  at: string;
  decidedBy?: Person | undefined;
  reason?: string | undefined;
};
export type ReleaseRecord = {
  eventId: string;
  at: string;
  /** Absent where it was released because its time had come. */
  requestedBy?: Person | undefined;
  reason?: string | undefined;
};
export type Sent = { channel: 'slack' | 'email'; occasion: string; target: string; reference: string };

/** The stretch of an endpoint's log from the first detection to its closing. */
export type Incident = Endpoint & {
  id: string;
  status: Status;
  hostname: string;
  openedAt: string;
  /** The place in the log of the last event that changed what a person should see. */
  lastSeq: number;
  lastAt: string;
  /** The detection that opened it, and exactly what people are shown about it. */
  detection: Detection;
  /** How many detections joined, the first included. */
  detectionCount: number;
  /** Distinct findings, the first ones; `findingsDropped` counts detections of further ones. */
  findings: Finding[];
  findingsDropped: number;
  /** Detections after closing that were counted but not asked about. */
  suppressedCount: number;
  question?: Question;
  decision?: DecisionRecord;
  release?: ReleaseRecord;
  /** Why it is pending, unconfirmed, failed or refused: a code, and the sentence a person reads. */
  problem?: { code: string; explanation: string } | undefined;
  history: Moment[];
  sent: Sent[];
};

/** Everything that is to be known about one endpoint: the fold over its log. */
export type EndpointState = {
  incident?: Incident;
  /** Findings that were decided about, and until when they are not asked about again. */
  quiet: { fingerprint: string; until: string }[];
};

export const NOTHING_HAPPENED: EndpointState = { quiet: [] };

const CLOSED: ReadonlySet<Status> = new Set<Status>([
  'left',
  'expired',
  'refused',
  'failed',
  'simulated',
  'drifted',
  'released',
]);

/** A closed incident takes no decision any more; the next detection may open a new one. */
export function isClosed(incident: Incident): boolean {
  return CLOSED.has(incident.status);
}

/** A release can be asked for from the moment the EDR holds the wish to isolate. */
export const RELEASABLE: readonly Status[] = [
  'requested',
  'pending',
  'unconfirmed',
  'contained',
  'drifted',
  'release_failed',
];
