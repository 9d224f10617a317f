import { type CordonEvent, eventId, IsolationConfirmed, IsolationRequested, NotificationSent } from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint, stored } from '@cordon/contracts/builders';
import { ask, decide, type EndpointState, evolve, NOTHING_HAPPENED } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { expect, test } from 'vitest';
import type { Evidence } from './evidence.ts';
import { judge } from './judge.ts';
import { SHORT } from './options.ts';
import { createRandom } from './random.ts';
import { planDrill } from './schedule.ts';

const start = Date.now();
const at = (seconds: number): Date => new Date(start + seconds * 1000);

/** One detection, one question, one decision to isolate, and everybody told once. */
function story() {
  const endpoint = anEndpoint();
  const detection = aDetection({ endpoint });
  const events: CordonEvent[] = [aDetectionRaised(detection, at(0))];
  const state = (): EndpointState => stored(events).reduce(evolve, NOTHING_HAPPENED);
  const append = (decision: ReturnType<typeof ask>): void => {
    if ('events' in decision) events.push(...decision.events);
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
    looks: 2,
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

function aPost(incidentId: string): Evidence['slack'][number] {
  const payload = { notification_id: slackId(incidentId), incident_id: incidentId };
  return {
    ts: String(start / 1000),
    at: at(1).toISOString(),
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

function aMail(incidentId: string): Evidence['mails'][number] {
  return {
    id: '1',
    messageId: messageId(incidentId),
    references: [],
    from: '',
    to: '',
    recipients: [],
    subject: '',
    text: '',
    html: undefined,
    headers: {},
    receivedAt: at(1).toISOString(),
    deliveries: 1,
  };
}

const kill = (target: string, seconds: number): Evidence['outages'] => [
  { did: 'kill', target, wasLeader: false, at: start + seconds * 1000, until: start + seconds * 1000 + 500 },
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
  expect(but({ events: stored([...events, decided]) })).toEqual(['doubled decision']);
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
  expect(but({ told: [{ incidentId, subject: 'bob', outcome: 'leave' }] })).toEqual(['decision that is another']);
  expect(but({ slack: [], mails: [] })).toEqual(['incident without one', 'question without one']);
  expect(but({ looks: 1000 })).toEqual(['more than 12 looks']);
  expect(but({ deadLetters: [{ consumer: 'approval-ask', reason: 'no' }] })).toEqual(['given up on']);
});

test('a double is explained by the death of the notifier right after it was sent, and by nothing else', () => {
  const { evidence, incidentId } = story();
  const slack = [aPost(incidentId), aPost(incidentId)];
  const mails = [{ ...aMail(incidentId), deliveries: 2 }];
  const doubled = (outages: Evidence['outages']): Evidence => ({ ...evidence, slack, mails, outages });

  expect(judge(doubled(kill('notifier', 2)))).toMatchObject({ violations: [], explanations: [{}, {}] });
  for (const outages of [[], kill('approval', 2), kill('notifier', 0), kill('notifier', 30)]) {
    expect(faultsOf(doubled(outages))).toEqual(['unexplained double', 'unexplained double']);
  }
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
