import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { type CordonEvent, hasToBeSigned, signEvent } from '@cordon/contracts';
import { aDetection, aDetectionRaised, stored } from '@cordon/contracts/builders';
import { expect, test } from 'vitest';
import { ALICE, anAnswer, anAsking, BOB, someTerms } from './builders.ts';
import { ask, type Asking, decide, type Decision } from './decide.ts';
import { evolve } from './evolve.ts';
import { genuine } from './genuine.ts';
import { onTime } from './on-time.ts';
import { type EndpointState, type Incident, NOTHING_HAPPENED, type Question } from './state.ts';

const own = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const now = new Date();

/** Asked, and Alice said yes. As it comes back from a snapshot. */
function voted(asking: Partial<Asking> = {}, key = own.privateKey): EndpointState & { incident: Incident } {
  const events: CordonEvent[] = [aDetectionRaised(aDetection())];
  const state = (): EndpointState => stored(events).reduce(evolve, NOTHING_HAPPENED);
  const append = (decision: Decision): void => {
    if ('refused' in decision) throw new Error(decision.refused.because);
    events.push(...decision.events.map((event) => (hasToBeSigned(event) ? signEvent(event, key) : event)));
  };
  append(ask(state(), () => anAsking({ votesNeeded: 3, ...asking }), now));
  append(decide(state(), anAnswer(state().incident), someTerms(), now));
  return JSON.parse(JSON.stringify(state()));
}

/** The same with something else in the question, as somebody might write it beside the log. */
function withQuestion(state: EndpointState & { incident: Incident }, about: Partial<Question>) {
  const { incident } = state;
  if (!incident.question) throw new Error('no question');
  return { ...state, incident: { ...incident, question: { ...incident.question, ...about } } };
}

function believed(state: EndpointState, keys = [own.publicKey]) {
  const { incident } = genuine(state, keys);
  if (!incident?.question) throw new Error('no question');
  return { ...incident.question, voters: incident.question.votes.map(({ person }) => person.name), incident };
}

function linesAboutVotes(state: EndpointState & { incident: Incident }): number {
  return believed(state).incident.history.filter(({ type }) => type === 'approval.voted').length;
}

test('what was signed counts, also with the key before', () => {
  const state = voted();
  expect(genuine(state, [own.publicKey])).toEqual(state);
  expect(genuine(state, [other.publicKey, own.publicKey])).toEqual(state);
  expect(genuine(NOTHING_HAPPENED, [own.publicKey])).toEqual(NOTHING_HAPPENED);
});

test('what was found about a question is no answer for other keys or another machine', () => {
  const state = voted();
  const [keys, others] = [[own.publicKey], [other.publicKey]];
  expect(believed(state, keys).isForeign).toBeUndefined();
  expect(believed(state, others).isForeign).toBe(true);
  const moved = { ...state, incident: { ...state.incident, endpointId: randomUUID() } };
  expect(believed(moved, keys).isForeign).toBe(true);
  expect(believed(state, keys).isForeign).toBeUndefined();
});

test('a vote counts only as it was given, by whom, and to the question it was given to', () => {
  const state = voted();
  const [vote] = believed(state).votes;
  if (!vote) throw new Error('no vote');
  const { signature: _, ...unsigned } = vote;
  const forged = [
    { ...vote, person: BOB },
    { ...vote, reason: 'another' },
    { ...vote, at: new Date(now.getTime() + 1).toISOString() },
    unsigned,
  ];
  for (const one of forged) expect(believed(withQuestion(state, { votes: [one] })).voters).toEqual([]);
  expect(believed(withQuestion(state, { votes: [...forged, vote] })).voters).toEqual([ALICE.name]);

  const elsewhere = voted();
  expect(believed(withQuestion(elsewhere, { votes: [vote] })).voters).toEqual([]);
  const again = { ...state, incident: { ...state.incident, id: elsewhere.incident.id } };
  expect(believed(again)).toMatchObject({ voters: [], isForeign: true });
});

test('a vote that does not count is not in the history either', () => {
  const state = voted();
  expect(linesAboutVotes(state)).toBe(1);
  expect(linesAboutVotes(withQuestion(state, { votes: [] }))).toBe(0);
});

test.each([
  ['fewer votes are needed', { votesNeeded: 1 }],
  ['others may decide', { terms: someTerms({ deciders: ['strangers'] }) }],
  ['a rule answers', { rule: 'a rule' }],
  ['it ends later', { expiresAt: new Date(now.getTime() + 3_600_000).toISOString() }],
  ['it is another question', { eventId: '0'.repeat(32) }],
] as const)('a question is foreign where %s than was signed', (_what, about) => {
  const state = withQuestion(voted(), about);
  expect(believed(state)).toMatchObject({ isForeign: true, voters: [] });
  expect(believed(state).terms).toBeUndefined();
});

test('to a foreign question a yes is refused, a no ends it, and neither a rule nor time acts on it', () => {
  const terms = someTerms({ releaseAfterMs: 1 });
  const foreign = genuine(withQuestion(voted({ terms }, other.privateKey), { rule: 'a rule' }), [own.publicKey]);
  const answer = (outcome: 'isolate' | 'leave') =>
    decide(foreign, anAnswer(foreign.incident, { outcome, person: BOB }), someTerms(), now);
  expect(answer('isolate')).toMatchObject({ refused: { because: 'not_authentic' } });
  expect(answer('leave')).toMatchObject({ events: [{ type: 'approval.decided', data: { outcome: 'leave' } }] });
  expect(ask(foreign, () => anAsking(), now)).toEqual({ events: [] });

  const { incident } = foreign;
  if (!incident) throw new Error('no incident');
  const history = [{ seq: 9, at: now.toISOString(), type: 'isolation.confirmed' }];
  const contained = { ...foreign, incident: { ...incident, status: 'contained' as const, history } };
  expect(onTime(contained, incident.id, someTerms(), new Date(now.getTime() + 60_000))).toEqual({ events: [] });
});
