import { generateKeyPairSync } from 'node:crypto';
import {
  ApprovalReminded,
  ApprovalVoted,
  type CordonEvent,
  eventId,
  hasToBeSigned,
  IsolationConfirmed,
  IsolationRequested,
  NotificationSent,
  signEvent,
} from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint, stored } from '@cordon/contracts/builders';
import { ask, decide, type EndpointState, evolve, NOTHING_HAPPENED, onTime } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { expect, test } from 'vitest';
import type { Evidence } from './evidence.ts';
import { judge } from './judge.ts';
import { SHORT } from './options.ts';
import { createRandom } from './random.ts';
import { planDrill } from './schedule.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const start = Date.now();
const at = (seconds: number): Date => new Date(start + seconds * 1000);

const signed = (event: CordonEvent): CordonEvent => (hasToBeSigned(event) ? signEvent(event, privateKey) : event);

/** One detection, one question, one decision to isolate, and everybody told once. */
function story() {
  const endpoint = anEndpoint();
  const detection = aDetection({ endpoint });
  const events: CordonEvent[] = [aDetectionRaised(detection, at(0))];
  const state = (): EndpointState => stored(events).reduce(evolve, NOTHING_HAPPENED);
  const append = (decision: ReturnType<typeof ask>): void => {
    if ('refused' in decision) return;
    events.push(...decision.events.map(signed));
  };
  append(ask(state(), () => anAsking(), at(1)));
  const { incident } = state();
  if (!incident) throw new Error('no incident');
  const incidentId = incident.id;
  append(decide(state(), anAnswer(incident), someTerms(), at(2)));
  const about = (type: string) => ({ id: eventId(type, incidentId), source: '/cordon/test', at: at(3), endpoint });
  events.push(
    IsolationRequested.create({ ...about('isolation.requested'), data: { incidentId, alreadyWanted: false } }),
    IsolationConfirmed.create({ ...about('isolation.confirmed'), data: { incidentId } }),
  );
  for (const [channel, id, reference] of [
    ['slack', slackId(incidentId), String(start / 1000)],
    ['email', `mailed ${incidentId}`, messageId(incidentId)],
  ] as const) {
    const data = { incidentId, channel, occasion: 'incident', target: 'somebody', reference };
    events.push(NotificationSent.create({ ...about('notification.sent'), id, at: at(5), data }));
  }
  const evidence: Evidence = {
    accepted: new Set([detection.finding_info.uid]),
    events: stored(events),
    deadLetters: [],
    deliveries: [{ consumer: 'notifier-slack', count: 5 }],
    isolationCalls: [{ sid: endpoint.endpointId, at: start + 2500 }],
    releaseCalls: [],
    looks: 2,
    driftPollMs: 10_000,
    keys: [publicKey],
    slack: [aPost(incidentId)],
    mails: [aMail(incidentId)],
    outages: [],
    told: [{ incidentId, subject: 'alice', outcome: 'isolate' }],
    restless: [],
    endings: [],
    endedAt: start + 200_000,
  };
  return { evidence, events, incidentId };
}

function slackId(incidentId: string): string {
  return `told of ${incidentId}`;
}

function messageId(incidentId: string): string {
  return `<cordon.${incidentId}.question@cordon.example>`;
}

function aPost(incidentId: string, second = 1): Evidence['slack'][number] {
  const payload = { notification_id: slackId(incidentId), incident_id: incidentId };
  return {
    ts: String(start / 1000 + second),
    at: at(second).toISOString(),
    text: '',
    blocks: [],
    metadata: { event_type: 'cordon_notification', event_payload: payload },
    unfurlLinks: false,
    unfurlMedia: false,
    updateCount: 0,
    revisions: [],
    replies: [],
  };
}

/** A mail that came at these seconds, the first times without an answer. */
function aMail(incidentId: string, seconds = [1], { unanswered = 0 } = {}): Evidence['mails'][number] {
  return {
    id: '1',
    messageId: messageId(incidentId),
    references: [],
    from: '',
    to: '',
    recipients: ['somebody'],
    subject: '',
    text: '',
    html: undefined,
    headers: {},
    receivedAt: at(1).toISOString(),
    deliveries: seconds.length,
    copies: seconds.map((second, index) => ({ at: at(second).toISOString(), answered: index >= unanswered })),
  };
}

const kill = (target: string, seconds: number): Evidence['outages'] => [
  {
    did: 'kill',
    target,
    wasLeader: false,
    at: start + seconds * 1000,
    until: start + seconds * 1000 + 500,
    backAt: start + seconds * 1000 + 1500,
  },
];

const plan = (seed: number) => planDrill({ ...SHORT, seed, kills: 30, pauses: 6 }, createRandom(seed));

const faultsOf = (evidence: Evidence): string[] =>
  judge(evidence)
    .rows.filter(({ found }) => found > 0)
    .map(({ fault }) => fault);

test('finds nothing where everything happened once', () => {
  expect(judge(story().evidence).violations).toEqual([]);
});

test('finds what is lost, doubled, stuck, missing and untrue', () => {
  const { evidence, events, incidentId } = story();
  const [raised, , decided] = events;
  if (!raised || !decided) throw new Error('no events');
  const but = (changes: Partial<Evidence>): string[] => faultsOf({ ...evidence, ...changes });

  expect(but({ accepted: new Set([...evidence.accepted, 'another']) })).toEqual(['lost']);
  expect(but({ events: stored([...events, raised]) })).toEqual(['doubled detection']);
  expect(but({ events: stored([...events, decided]) })).toEqual(['doubled decision', 'doubled vote']);
  expect(but({ events: stored(events.slice(0, 4)) })).toEqual(['stuck incident']);
  expect(but({ events: stored(events.slice(0, 2)), isolationCalls: [], told: [] })).toEqual(['stuck incident']);
  expect(but({ restless: ['executor-watch 0+1'] })).toEqual(['stuck incident']);
  expect(but({ isolationCalls: [...evidence.isolationCalls, ...evidence.isolationCalls] })).toEqual([
    'doubled isolation',
  ]);
  expect(but({ isolationCalls: [] })).toEqual(['isolation missing']);
  expect(but({ isolationCalls: [...evidence.isolationCalls, { sid: 'another', at: 0 }] })).toEqual([
    'isolation nobody decided',
  ]);
  expect(but({ told: [{ incidentId, subject: 'bob', outcome: 'leave' }] })).toEqual(['answer that does not stand']);
  expect(but({ slack: [], mails: [] })).toEqual(['incident without one', 'question without one']);
  expect(but({ looks: 1000 })).toEqual(['more than 52 looks']);
  expect(but({ deadLetters: [{ consumer: 'approval-ask', reason: 'no' }] })).toEqual(['given up on']);
});

test('finds what is wrong with votes, signatures, reminders and the time', () => {
  const { evidence, events, incidentId } = story();
  const [raised, asked, decided, ...rest] = events;
  if (raised?.type !== 'detection.raised' || asked?.type !== 'approval.requested') throw new Error('no question');
  if (decided?.type !== 'approval.decided') throw new Error('no decision');
  const [vote] = decided.data.votes ?? [];
  if (!vote) throw new Error('no vote');
  const but = (log: CordonEvent[], changes: Partial<Evidence> = {}): string[] =>
    faultsOf({ ...evidence, events: stored(log), ...changes });
  const about = (id: string, seconds: number) => ({ id, source: '/cordon/test', at: at(seconds), endpoint: raised });

  const voted = signed(ApprovalVoted.create({ ...about('voted', 1.5), data: { incidentId, vote } }));
  expect(but([raised, asked, voted, decided, ...rest])).toEqual(['doubled vote']);
  const askedTwo = signed({ ...asked, data: { ...asked.data, votesNeeded: 2 } });
  expect(but([raised, askedTwo, decided, ...rest])).toEqual(['too few persons']);
  const altered = { ...decided, data: { ...decided.data, reason: 'another' } };
  expect(but([raised, asked, altered, ...rest])).toEqual(['not authentic']);
  const weakened = { ...asked, data: { ...asked.data, votesNeeded: 0 } };
  expect(but([raised, weakened, decided, ...rest])).toEqual(['not authentic']);

  const terms = someTerms({ remindAt: [at(10).toISOString()] });
  const expiresAt = at(20).toISOString();
  const short = signed({ ...asked, data: { ...asked.data, expiresAt, terms } });
  const reminded = (seconds: number): CordonEvent =>
    ApprovalReminded.create({ ...about('reminded', seconds), data: { incidentId, count: 1, expiresAt } });
  const expired = (seconds: number): CordonEvent[] => {
    const state = stored([raised, short, reminded(11)]).reduce(evolve, NOTHING_HAPPENED);
    const ended = onTime(state, incidentId, terms, at(seconds));
    if ('refused' in ended) throw new Error('refused');
    return ended.events.map(signed);
  };
  const nothingDone = { isolationCalls: [], told: [] };
  const ends = (log: CordonEvent[], outages: Evidence['outages'] = []): string[] =>
    but([raised, short, ...log, ...events.filter(({ type }) => type === 'notification.sent')], {
      ...nothingDone,
      outages,
    });
  expect(ends([reminded(11), ...expired(21)])).toEqual([]);
  expect(ends([...expired(21)])).toEqual(['doubled or missing']);
  expect(ends([reminded(11), reminded(12), ...expired(21)])).toEqual(['doubled or missing']);
  expect(ends([reminded(11), ...expired(30)])).toEqual(['more than 5 s late']);
  expect(ends([reminded(16), ...expired(21)])).toEqual(['more than 5 s late']);
  expect(ends([reminded(11), ...expired(30)], kill('approval', 26))).toEqual([]);
  expect(ends([reminded(11), ...expired(30)], kill('notifier', 26))).toEqual(['more than 5 s late']);
  expect(but(events, { releaseCalls: [{ sid: raised.endpointId }] })).toEqual(['release nobody asked for']);
});

test('a double is explained by the death of the notifier right after it was sent, and by nothing else', () => {
  const { evidence, incidentId } = story();
  const slack = [aPost(incidentId, 1), aPost(incidentId, 4)];
  const mails = [aMail(incidentId, [1, 4])];
  const doubled = (outages: Evidence['outages']): Evidence => ({ ...evidence, slack, mails, outages });

  expect(judge(doubled(kill('notifier', 2)))).toMatchObject({ violations: [], explanations: [{}, {}] });
  for (const outages of [[], kill('approval', 2), kill('notifier', 0), kill('notifier', 4.5), kill('notifier', 30)]) {
    expect(faultsOf(doubled(outages))).toEqual(['unexplained double', 'unexplained double']);
  }
});

test('a mail that the server took without a word explains one more copy, and no second one', () => {
  const { evidence, incidentId } = story();
  const mailed = (mails: Evidence['mails']): Evidence => ({ ...evidence, mails });
  const explained = mailed([aMail(incidentId, [1, 2], { unanswered: 1 })]);
  expect(judge(explained)).toMatchObject({ violations: [], explanations: [{}] });
  expect(faultsOf(mailed([aMail(incidentId, [1, 2, 3], { unanswered: 1 })]))).toEqual(['unexplained double']);
  const toOthers = { ...aMail(incidentId, [1, 2]), recipients: ['somebody else'] };
  expect(faultsOf({ ...mailed([toOthers]), outages: kill('notifier', 1.5) })).toEqual(['unexplained double']);
});

test('a schedule is the same for the same seed, in order, and has what was asked for', () => {
  const actions = plan(7);
  expect(plan(7)).toEqual(actions);
  expect(plan(8)).not.toEqual(actions);
  expect(actions.filter((action) => action.do === 'kill')).toHaveLength(30);
  expect(actions.filter((action) => action.do === 'pause')).toHaveLength(6);
  expect(actions.some((action) => action.do === 'kill' && action.target === 'the leader')).toBe(true);
  expect(actions.map(({ atMs }) => atMs)).toEqual(actions.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
});
