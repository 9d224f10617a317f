import type { Contacts, Person, StoredEvent } from '@cordon/contracts';
import { findingOf, incidentIdOf } from './finding.ts';
import { isSamePerson } from './person.ts';
import {
  type EndpointState,
  type Finding,
  type Incident,
  isClosed,
  type Question,
  RELEASABLE,
  type Status,
} from './state.ts';

const FINDINGS_KEPT = 20;
const HISTORY_KEPT = 100;
const SENT_KEPT = 200;
const QUIET_KEPT = 50;
/** An isolation that failed is asked about again soon: this only absorbs the rest of the same run. */
const QUIET_AFTER_FAILURE_MS = 5 * 60_000;

/**
 * The state of an endpoint after one more event. Pure and total: an event that makes no sense here (a decision about
 * another incident, a confirmation nobody waits for) leaves the state as it is.
 */
export function evolve(state: EndpointState, event: StoredEvent): EndpointState {
  if (event.type === 'detection.raised') return detected(state, event);
  const { incident } = state;
  if (event.type === 'policy.changed' || !incident || incident.id !== event.data.incidentId) return state;
  if (event.type === 'notification.sent') {
    const { channel, occasion, target, reference } = event.data;
    return {
      ...state,
      incident: { ...incident, sent: keepSent(incident.sent, { channel, occasion, target, reference }) },
    };
  }
  if (event.type === 'notification.failed') return state;

  const next = progressed(incident, event);
  if (!next) return state;
  return { incident: remember(next, event), quiet: quietAfter(state, next, event) };
}

type IncidentEvent = Exclude<
  StoredEvent,
  { type: 'detection.raised' | 'notification.sent' | 'notification.failed' | 'policy.changed' }
>;

function detected(state: EndpointState, event: StoredEvent & { type: 'detection.raised' }): EndpointState {
  const { detection } = event.data;
  const finding = findingOf(detection, event.time);
  const { incident } = state;
  if (incident && !isClosed(incident)) return { ...state, incident: joined(incident, finding, event) };

  const isQuiet = state.quiet.some((entry) => entry.fingerprint === finding.fingerprint && event.time < entry.until);
  if (incident && isQuiet) {
    const counted = {
      ...incident,
      suppressedCount: incident.suppressedCount + 1,
      lastSeq: event.seq,
      lastAt: event.time,
    };
    return { ...state, incident: counted };
  }
  const opened: Incident = {
    id: incidentIdOf(detection),
    tenantId: event.tenantId,
    endpointId: event.endpointId,
    status: 'new',
    hostname: detection.device.hostname,
    openedAt: event.time,
    lastSeq: event.seq,
    lastAt: event.time,
    detection,
    detectionCount: 1,
    findings: [finding],
    findingsDropped: 0,
    suppressedCount: 0,
    history: [],
    sent: [],
  };
  return { ...state, incident: remember(opened, event, finding.title) };
}

function joined(incident: Incident, finding: Finding, event: StoredEvent): Incident {
  const known = incident.findings.find((candidate) => candidate.fingerprint === finding.fingerprint);
  const counted = { ...incident, detectionCount: incident.detectionCount + 1, lastSeq: event.seq, lastAt: event.time };
  if (known) {
    const again = { ...known, count: known.count + 1, lastAt: event.time };
    return { ...counted, findings: incident.findings.map((candidate) => (candidate === known ? again : candidate)) };
  }
  if (incident.findings.length === FINDINGS_KEPT) return { ...counted, findingsDropped: incident.findingsDropped + 1 };
  return remember({ ...counted, findings: [...incident.findings, finding] }, event, finding.title);
}

/** The incident after an event about it, or nothing where the event does not fit its status. */
function progressed(incident: Incident, event: IncidentEvent): Incident | undefined {
  // The old problem is left out, not set to undefined: a state must look the same after a round through JSON.
  const { problem: _, ...rest } = incident;
  const to = (status: Status, from: readonly Status[], more: Partial<Incident> = {}): Incident | undefined =>
    from.includes(incident.status) ? { ...rest, status, ...more } : undefined;
  const wanted: Status[] = ['approved', 'requested', 'pending', 'unconfirmed'];
  const asking = (more: (question: Question) => Partial<Question>): Incident | undefined =>
    incident.status === 'asked' && incident.question
      ? { ...incident, question: { ...incident.question, ...more(incident.question) } }
      : undefined;
  const leaving: Status[] = ['releasing', 'release_pending', 'release_unconfirmed', 'release_failed'];

  switch (event.type) {
    case 'approval.requested': {
      const { incidentId: _id, ...asked } = event.data;
      const question = { ...asked, eventId: event.id, askedAt: event.time, votes: [], reminded: 0, escalated: 0 };
      // A second question about the same incident takes the first decision's place.
      const { decision: _decision, ...open } = rest;
      return ['new', 'held'].includes(incident.status) ? { ...open, status: 'asked', question } : undefined;
    }
    case 'approval.voted': {
      const { vote, signature } = event.data;
      const told = { ...vote, ...(signature && { signature }) };
      return asking(({ votes }) => ({
        votes: [...votes.filter((other) => !isSamePerson(other.person, vote.person)), told],
      }));
    }
    case 'approval.reminded':
      return asking(() => ({ reminded: event.data.count }));
    case 'approval.escalated':
      if (event.data.because === 'unanswered') return asking(() => ({ escalated: event.data.count }));
      return incident.status === 'expired' ? incident : undefined;
    case 'approval.decided': {
      const { outcome, decidedBy, channel, reason, votes, rule } = event.data;
      const status = { isolate: 'approved', leave: 'left', expired: 'expired' } as const;
      return to(status[outcome], ['asked'], {
        decision: { eventId: event.id, at: event.time, outcome, decidedBy, channel, reason, votes, rule },
      });
    }
    case 'notification.overdue':
      return incident;
    case 'isolation.requested':
      return to('requested', ['approved']);
    case 'isolation.pending':
      return to('pending', wanted, { problem: event.data });
    case 'isolation.unconfirmed':
      return to('unconfirmed', wanted, { problem: event.data });
    case 'isolation.confirmed':
      return to('contained', [...wanted, 'drifted']);
    case 'isolation.held':
      return to('held', ['approved'], { problem: event.data });
    case 'isolation.drifted':
      return to('drifted', ['contained'], { problem: event.data });
    case 'isolation.failed':
      return to('failed', wanted, { problem: event.data });
    case 'isolation.refused':
      return to('refused', wanted, { problem: event.data });
    case 'isolation.simulated':
      return to('simulated', wanted, { problem: event.data });
    case 'release.requested': {
      const { requestedBy, reason } = event.data;
      return to('releasing', RELEASABLE, { release: { eventId: event.id, at: event.time, requestedBy, reason } });
    }
    case 'release.accepted':
      return to('releasing', ['releasing']);
    case 'release.pending':
      return to('release_pending', leaving, { problem: event.data });
    case 'release.unconfirmed':
      return to('release_unconfirmed', leaving, { problem: event.data });
    case 'release.failed':
      return to('release_failed', leaving, { problem: event.data });
    case 'release.simulated':
      return to('contained', leaving, { problem: event.data });
    case 'release.confirmed':
      return to('released', leaving);
  }
}

function remember(incident: Incident, event: StoredEvent, note?: string): Incident {
  const moment = {
    seq: event.seq,
    at: event.time,
    type: event.type,
    by: personOf(event)?.name,
    note: note ?? noteOf(event),
    to: addresseesOf(event, incident.question),
  };
  return { ...incident, lastSeq: event.seq, lastAt: event.time, history: keep(incident.history, moment, HISTORY_KEPT) };
}

function personOf(event: StoredEvent): Person | undefined {
  if (event.type === 'approval.voted') return event.data.vote.person;
  if (event.type === 'approval.decided') return event.data.decidedBy;
  return event.type === 'release.requested' ? event.data.requestedBy : undefined;
}

function noteOf({ type, data }: StoredEvent): string | undefined {
  if (type === 'notification.overdue') return data.channel;
  if ('outcome' in data) return data.outcome;
  if ('because' in data) return data.because;
  return 'explanation' in data ? data.explanation : undefined;
}

/** Who in particular is to hear of an event. A channel that works tells the contacts of one that does not. */
function addresseesOf(event: StoredEvent, question: Question | undefined): Contacts | undefined {
  if (event.type === 'approval.escalated') return event.data.to;
  const contacts = question?.terms?.contacts;
  if (event.type === 'approval.reminded') return contacts && { ...contacts, mail: [] };
  if (event.type !== 'notification.overdue') return undefined;
  return contacts && { ...contacts, [event.data.channel === 'slack' ? 'slack' : 'mail']: [] };
}

/** A decision silences its findings for a while; a failed isolation and a release lift that again. */
function quietAfter(state: EndpointState, incident: Incident, event: IncidentEvent): EndpointState['quiet'] {
  const silence = (until: string) =>
    incident.findings
      .map(({ fingerprint }) => ({ fingerprint, until }))
      .reduce(
        (quiet, entry) =>
          keep(
            quiet.filter((old) => old.fingerprint !== entry.fingerprint),
            entry,
            QUIET_KEPT,
          ),
        state.quiet,
      );
  if (event.type === 'approval.decided') return silence(event.data.quietUntil);
  if (event.type === 'isolation.failed')
    return silence(new Date(Date.parse(event.time) + QUIET_AFTER_FAILURE_MS).toISOString());
  return event.type === 'release.confirmed' || event.type === 'isolation.drifted' ? [] : state.quiet;
}

/** The first message of an incident is never forgotten: everything later hangs on it. */
function keepSent(sent: Incident['sent'], entry: Incident['sent'][number]): Incident['sent'] {
  if (sent.length < SENT_KEPT) return [...sent, entry];
  const oldest = sent.findIndex((candidate) => candidate.occasion !== 'incident');
  return [...sent.toSpliced(oldest, oldest === -1 ? 0 : 1), entry];
}

/** A list with one more entry, the oldest dropped past its limit. */
function keep<T>(list: readonly T[], entry: T, limit: number): T[] {
  return [...list, entry].slice(-limit);
}
