import type { Detection, Endpoint, Person } from '@cordon/contracts';

/**
 * Where an incident stands.
 *
 * ```
 * new ─ asked ─┬─ left | expired                                            closed
 *              └─ approved ─┬─ refused | failed | simulated                 closed
 *                           └─ requested / pending / unconfirmed ─ contained
 * contained ─ releasing ─ release_pending / release_unconfirmed / release_failed ─ released   closed
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
  | 'contained'
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
  firstAt: string;
  lastAt: string;
  count: number;
};

/** One line of an incident's history. */
export type Moment = { seq: number; at: string; type: string; by?: string | undefined; note?: string | undefined };

export type Question = { askedAt: string; expiresAt: string; votesNeeded: number; why: string };
export type DecisionRecord = {
  eventId: string;
  at: string;
  outcome: 'isolate' | 'leave' | 'expired';
  decidedBy?: Person | undefined;
  reason?: string | undefined;
};
export type ReleaseRecord = { eventId: string; at: string; requestedBy: Person; reason?: string | undefined };
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

const CLOSED: ReadonlySet<Status> = new Set<Status>(['left', 'expired', 'refused', 'failed', 'simulated', 'released']);

/** A closed incident takes no decision any more; the next detection may open a new one. */
export function isClosed(incident: Incident): boolean {
  return CLOSED.has(incident.status);
}
