import { someTerms } from '@cordon/incident/builders';
import { expect, test } from 'vitest';
import { mailingFor } from './mailing.ts';
import { callOf, newsOf, tellMoment } from './moments.ts';
import { overdue } from './overdue.ts';
import { renderMail } from './render-email.ts';
import { renderIncident, renderNews } from './render-slack.ts';
import { aMachine, incidentAfter, PERSON, PUBLIC_URL } from './testing.ts';

const BOB = { ...PERSON, subject: 'bob', name: 'Bob' };
const TO = { mail: ['duty@example.com'], slack: ['U0DUTY'] };
const QUORUM = { votesNeeded: 2, why: 'Tier critical: two persons must agree.', terms: someTerms({ contacts: TO }) };

/** What the thread says, one line per moment. */
function told(...events: Parameters<typeof incidentAfter>): string[] {
  const incident = incidentAfter(...events);
  return newsOf(incident).flatMap((news) => {
    if (news.kind !== 'moment') return [];
    const { headline, sentence } = tellMoment(incident, news.moment);
    return [`${headline} ${sentence}`];
  });
}

/** Who is called upon by the last moment that can. */
function lastCall(...events: Parameters<typeof incidentAfter>) {
  const incident = incidentAfter(...events);
  const news = newsOf(incident).findLast(
    (one) => one.kind === 'moment' && /escalated|reminded|overdue/.test(one.moment.type),
  );
  if (news?.kind !== 'moment') throw new Error('no call');
  const { loud, blocks } = renderNews(incident, news);
  const mentioned = /"type":"user","user_id":"(\w+)"/.exec(JSON.stringify(blocks))?.[1];
  expect(callOf(incident, news.moment)).toEqual({ users: mentioned ? [mentioned] : [], loud });
  return { mentioned, loud };
}

test('tells who said yes and who is missing, at each time', () => {
  const machine = aMachine();
  const votes = [PERSON, BOB].map((person) => ({ person, channel: 'page' as const, at: '', factsDigest: '' }));
  const events = [
    machine.detected(),
    machine.asked({ ...QUORUM, votesNeeded: 3 }),
    machine.voted(PERSON),
    machine.reminded(),
    machine.voted(BOB),
    machine.decided('isolate', 'both saw it', { votes, votesNeeded: 2 }),
  ];
  expect(told(...events)).toEqual([
    expect.stringMatching(/^Said yes; more .* Ada Lovelace said yes, 2 more persons have to agree\./),
    expect.stringMatching(/^Reminded: .* Ada Lovelace said yes, 2 more persons have to agree\./),
    expect.stringMatching(/^Said yes; more .* Ada Lovelace and Bob said yes, 1 more person has to agree\./),
    expect.stringMatching(/^Isolation decided Ada Lovelace and Bob decided to isolate WIN-01\./),
  ]);
  const root = JSON.stringify(renderIncident(incidentAfter(...events.slice(0, 3)), PUBLIC_URL));
  expect(root).toMatch(/Ada Lovelace said yes, 2 more persons have to agree.*two persons must agree/);
  const mail = renderMail(incidentAfter(...events), PUBLIC_URL, 'follow-up');
  expect(mail.text).toContain('| Decided by: Ada Lovelace and Bob');
});

test('a rule decided, and nobody is named in its place', () => {
  const machine = aMachine();
  const byRule = machine.decided('isolate', 'so it says', {
    decidedBy: undefined,
    channel: 'policy',
    rule: 'ransomware',
    votes: [],
  });
  expect(told(machine.detected(), machine.asked({ rule: 'ransomware', votesNeeded: 0 }), byRule)).toEqual([
    "Isolation decided The policy's rule “ransomware” decided to isolate WIN-01. LimaCharlie has not been told yet.",
  ]);
});

test('a held isolation is asked about again, and the first decision keeps its name', () => {
  const machine = aMachine();
  const lines = told(
    machine.detected(),
    machine.asked(),
    machine.decided('isolate'),
    machine.held(),
    machine.asked(QUORUM),
    machine.voted(BOB),
  );
  expect(lines).toEqual([
    expect.stringContaining('Ada Lovelace decided to isolate WIN-01.'),
    'Isolation held: too many at once Ten machines were isolated within an hour.',
    expect.stringMatching(/^Team asked .* 2 persons have to agree\./),
    expect.stringContaining('Bob said yes, 1 more person has to agree.'),
  ]);
});

test('drift, and a release that nobody asked for', () => {
  const machine = aMachine();
  const contained = [machine.detected(), machine.asked(), machine.decided('isolate'), machine.requested()];
  expect(told(...contained, machine.confirmed(), machine.drifted()).at(-1)).toBe(
    'No longer isolated The sensor no longer reports isolated.',
  );
  expect(told(...contained, machine.confirmed(), machine.releaseDue()).at(-1)).toContain(
    'The time of isolation is over: WIN-01 is being reconnected.',
  );
});

test('calls upon those whom policy names, as long as there is something to answer', () => {
  const machine = aMachine();
  const open = [machine.detected(), machine.asked(QUORUM)];
  const nobody = { mentioned: undefined, loud: false };
  expect(lastCall(...open, machine.escalated('unanswered', TO))).toEqual({ mentioned: 'U0DUTY', loud: true });
  expect(lastCall(...open, machine.escalated('unanswered', { mail: [], slack: [] }))).toEqual({
    mentioned: undefined,
    loud: true,
  });
  expect(lastCall(...open, machine.escalated('unanswered', TO), machine.decided('leave'))).toEqual(nobody);
  expect(lastCall(...open, machine.decided('expired'), machine.escalated('expired', TO))).toEqual({
    mentioned: 'U0DUTY',
    loud: true,
  });
  expect(lastCall(...open, machine.reminded())).toEqual({ mentioned: 'U0DUTY', loud: false });
  expect(lastCall(machine.detected(), machine.asked(), machine.reminded())).toEqual(nobody);
  expect(lastCall(...open, machine.overdue('email'))).toEqual({ mentioned: 'U0DUTY', loud: true });
});

test('who gets which mail', () => {
  const machine = aMachine();
  const everybody = ['soc@example.com'];
  const mailing = (...events: Parameters<typeof incidentAfter>) => {
    const [last] = events.slice(-1);
    if (!last) throw new Error('no event');
    return mailingFor({ ...last, seq: events.length }, incidentAfter(...events), everybody);
  };
  const open = [machine.detected(), machine.asked(QUORUM)];
  expect(mailing(...open)).toEqual({ kind: 'question', to: everybody });
  expect(mailing(...open, machine.reminded())).toMatchObject({ kind: 'follow-up', to: everybody });
  expect(mailing(...open, machine.escalated('unanswered', TO))).toMatchObject({ kind: 'escalation', to: TO.mail });
  expect(mailing(...open, machine.escalated('unanswered', { mail: [], slack: [] }))).toMatchObject({ to: everybody });
  expect(
    mailing(...open, machine.decided('expired'), machine.escalated('expired', { mail: [], slack: [] })),
  ).toMatchObject({ to: [] });
  expect(mailing(...open, machine.overdue('slack'))).toMatchObject({ kind: 'overdue', to: TO.mail });
  const unnamed = [machine.detected(), machine.asked()];
  expect(mailing(...unnamed, machine.overdue('slack'))).toMatchObject({ to: everybody });
  const sent = machine.sent('email', 'incident', 'soc@example.com');
  expect(mailing(...unnamed, sent, machine.overdue('slack'))).toMatchObject({ to: [] });
  expect(mailing(...open, sent, machine.overdue('slack'))).toMatchObject({ to: TO.mail });
  const held = [...open, machine.decided('isolate'), machine.held()];
  expect(mailing(...held, machine.asked(QUORUM))).toEqual({ kind: 'follow-up', to: everybody });
});

test('a question is overdue in a channel that took nothing of it', () => {
  const machine = aMachine();
  const { incidentId } = machine;
  const now = new Date();
  const late = (...events: Parameters<typeof incidentAfter>) =>
    overdue(incidentAfter(...events), incidentId, now).map(({ data }) => `${data.channel} ${data.occasion}`);
  const open = [machine.detected(), machine.asked()];
  expect(late(...open)).toEqual(['slack incident', 'email incident']);
  expect(late(...open, machine.sent('slack', 'incident'))).toEqual(['email incident']);
  expect(late(...open, machine.sent('slack', 'incident'), machine.sent('email', 'incident'))).toEqual([]);
  expect(late(...open, machine.decided('leave'))).toEqual([]);
  const first = [...open, machine.sent('slack', 'incident'), machine.sent('email', 'incident')];
  const again = machine.asked(QUORUM);
  expect(late(...first, machine.decided('isolate'), machine.held(), again)).toEqual([
    'slack moment:7',
    `email ${again.id}`,
  ]);
  expect(overdue(incidentAfter(...open), 'another', now)).toEqual([]);
});
