import { ApprovalEscalated, ApprovalReminded, type CordonEvent, eventId, type Terms } from '@cordon/contracts';
import { decided, type Decision, nothing, requestRelease } from './decide.ts';
import { SOURCE } from './genuine.ts';
import type { EndpointState, Incident, Question } from './state.ts';

/** When something is next to be done about an incident by itself, if ever. */
export function nextDeadline(incident: Incident): Date | undefined {
  const { status, question } = incident;
  const dates =
    status === 'asked' && question
      ? [
          question.expiresAt,
          question.terms?.remindAt[question.reminded],
          question.terms?.escalate[question.escalated]?.at,
        ]
      : [releaseDueAt(incident)?.toISOString()];
  const [first] = dates.filter((date) => date !== undefined).toSorted();
  return first === undefined ? undefined : new Date(first);
}

/**
 * What time brings: a reminder, the next step of the escalation, the end of the question (which never isolates, and is
 * told to everybody on the way up), or the release of a machine that was isolated for as long as policy lets it be.
 * Nothing where it is not due, or was done before.
 */
export function onTime(state: EndpointState, incidentId: string, fallback: Terms, now: Date): Decision {
  const { incident } = state;
  const question = incident?.question;
  if (incident?.id !== incidentId || !question) return nothing;
  if (incident.status === 'expired' && !wasToldOfExpiry(incident)) {
    return { events: [escalated(incident, question, 'expired', now)] };
  }
  if (incident.status === 'contained') return release(state, incident, now);
  if (incident.status !== 'asked') return nothing;
  const isDue = (at: string | undefined): boolean => at !== undefined && now.toISOString() >= at;
  if (isDue(question.expiresAt)) {
    const expired = { outcome: 'expired', channel: 'timer' } as const;
    return {
      events: [
        decided(incident, question, question.terms ?? fallback, now, expired),
        escalated(incident, question, 'expired', now),
      ],
    };
  }
  return {
    events: [
      ...(isDue(question.terms?.remindAt[question.reminded]) ? [reminded(incident, question, now)] : []),
      ...(isDue(question.terms?.escalate[question.escalated]?.at)
        ? [escalated(incident, question, 'unanswered', now)]
        : []),
    ],
  };
}

/** When a contained machine is released by itself, if ever: counted from the sensor's last confirmation. */
export function releaseDueAt(incident: Incident): Date | undefined {
  const afterMs = incident.question?.terms?.releaseAfterMs;
  if (incident.status !== 'contained' || afterMs === undefined) return undefined;
  const confirmed = incident.history.findLast((moment) => moment.type === 'isolation.confirmed');
  return confirmed && new Date(Date.parse(confirmed.at) + afterMs);
}

function release(state: EndpointState, incident: Incident, now: Date): Decision {
  const due = releaseDueAt(incident);
  const terms = incident.question?.terms;
  if (!due || !terms || now < due) return nothing;
  const { policyVersion, decisionValidMs: validMs } = terms;
  return requestRelease(state, { incidentId: incident.id, channel: 'timer', policyVersion, validMs }, now);
}

function reminded(incident: Incident, question: Question, now: Date): CordonEvent {
  const count = question.reminded + 1;
  return ApprovalReminded.create({
    id: eventId('approval.reminded', question.eventId, String(count)),
    source: SOURCE,
    at: now,
    endpoint: incident,
    data: { incidentId: incident.id, count, expiresAt: question.expiresAt },
  });
}

function escalated(incident: Incident, question: Question, because: 'unanswered' | 'expired', now: Date): CordonEvent {
  const steps = question.terms?.escalate ?? [];
  const told = because === 'expired' ? steps : steps.slice(question.escalated, question.escalated + 1);
  const count = because === 'expired' ? steps.length + 1 : question.escalated + 1;
  return ApprovalEscalated.create({
    id: eventId('approval.escalated', question.eventId, because, String(count)),
    source: SOURCE,
    at: now,
    endpoint: incident,
    data: {
      incidentId: incident.id,
      because,
      count,
      to: {
        mail: [...new Set(told.flatMap((step) => step.mail))],
        slack: [...new Set(told.flatMap((step) => step.slack))],
      },
    },
  });
}

function wasToldOfExpiry({ history }: Incident): boolean {
  return history.some(({ type, note }) => type === 'approval.escalated' && note === 'expired');
}
