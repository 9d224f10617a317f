import type { KeyObject } from 'node:crypto';
import { ApprovalRequested, ApprovalVoted, authenticityOf, type Endpoint, eventId, type Vote } from '@cordon/contracts';
import type { EndpointState, Incident, Question } from './state.ts';

export const SOURCE = '/cordon/approval';

/** The event that tells of a vote. Its id names the question and the person: it counts there, and once. */
export function votedEvent(
  incident: Endpoint & { id: string },
  question: Pick<Question, 'eventId'>,
  { signature, ...vote }: Vote,
): ApprovalVoted {
  return ApprovalVoted.create({
    id: eventId('approval.voted', question.eventId, vote.person.issuer, vote.person.subject),
    source: SOURCE,
    at: new Date(vote.at),
    endpoint: incident,
    data: { incidentId: incident.id, vote, ...(signature && { signature }) },
  });
}

/** The event that asked a question, as it must have been for the question to be what it is. */
function requestedEvent(
  incident: Endpoint & { id: string },
  { eventId: id, askedAt, votes: _votes, reminded: _reminded, escalated: _escalated, ...asked }: Question,
): ApprovalRequested {
  return ApprovalRequested.create({
    id,
    source: SOURCE,
    at: new Date(askedAt),
    endpoint: incident,
    data: { incidentId: incident.id, ...asked },
  });
}

/** Whether a vote was given to this very question, as the holder of one of these keys says. */
export function isGenuineVote(
  incident: Endpoint & { id: string },
  question: Question,
  vote: Vote,
  keys: readonly KeyObject[],
): boolean {
  return authenticityOf(votedEvent(incident, question, vote), keys) === 'authentic';
}

/**
 * The state as far as the holder of one of these keys vouches for it. Whoever can write to the broker can put votes and
 * questions into the log, and snapshots beside it: such votes are left out, and of such a question nothing is left that
 * says who may answer it and how.
 */
export function genuine(state: EndpointState, keys: readonly KeyObject[]): EndpointState {
  const { incident } = state;
  return incident?.question ? { ...state, incident: genuineIncident(incident, incident.question, keys) } : state;
}

/** Found once per question: incidents change around one, and signatures take long to check. */
const found = new WeakMap<Question, { about: string; keys: readonly KeyObject[]; isGenuine: boolean }>();

function isGenuineQuestion(incident: Incident, question: Question, keys: readonly KeyObject[]): boolean {
  const about = [incident.tenantId, incident.endpointId, incident.id].join('/');
  const known = found.get(question);
  if (known?.about === about && known.keys === keys) return known.isGenuine;
  const isGenuine = authenticityOf(requestedEvent(incident, question), keys) === 'authentic';
  found.set(question, { about, keys, isGenuine });
  return isGenuine;
}

function genuineIncident(incident: Incident, question: Question, keys: readonly KeyObject[]): Incident {
  if (!isGenuineQuestion(incident, question, keys)) {
    const { terms: _terms, rule: _rule, override: _override, ...rest } = question;
    return withVotes(incident, { ...rest, votes: [], isForeign: true });
  }
  const votes = question.votes.filter((vote) => isGenuineVote(incident, question, vote, keys));
  return withVotes(incident, { ...question, votes });
}

/** With the history as if only these votes had been given. */
function withVotes(incident: Incident, question: Question): Incident {
  const askedSeq = incident.history.findLast(({ type }) => type === 'approval.requested')?.seq ?? 0;
  const history = incident.history.filter(
    ({ type, seq, at, by }) =>
      type !== 'approval.voted' ||
      seq < askedSeq ||
      question.votes.some((vote) => vote.at === at && vote.person.name === by),
  );
  return { ...incident, question, history };
}
