import { setTimeout as delay } from 'node:timers/promises';
import { connectBus } from '@cordon/bus';
import { decide, describe, type Incident, onTime } from '@cordon/incident';
import { anAnswer } from '@cordon/incident/builders';
import { createLogger } from '@cordon/service';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { APPROVERS, type Lab, personCalled, startLab, TERMS } from '../../services/approval/src/page-lab.ts';
import type { Page, Person } from '../e2e/person.ts';
import { inLanes } from './tireless.ts';

/** A thousand answers at the same moment, from many sessions and from other instances, some at the very deadline. */

const PERSONS = 30;
const SESSIONS_EACH = 3;
/** What a session may post in a minute. */
const POSTS_EACH = 10;
const RIVALS = 100;
/** More connections at once than this and the system refuses some. */
const IN_FLIGHT = 200;
const OTHERS = 4;

let lab: Lab;
let others: Awaited<ReturnType<typeof connectBus>>[];
beforeAll(async () => {
  lab = await startLab();
  const log = createLogger('other', 'silent');
  others = await Promise.all(
    Array.from({ length: OTHERS }, () => connectBus({ url: lab.broker.url, name: 'approval', log })),
  );
});
afterAll(async () => {
  await Promise.all(others.map((bus) => bus.close()));
  await lab[Symbol.asyncDispose]();
});

type Outcome = 'isolate' | 'leave';
type Told = { who: string; choice: Outcome; page: Page };

test.each([
  ['one person is enough', { votesNeeded: 1 }],
  ['two persons are needed', { votesNeeded: 2 }],
  ['five persons are needed', { votesNeeded: 5 }],
  ['it expires meanwhile', { votesNeeded: 1, expiryMs: 6000 }],
  ['two persons are needed and it expires meanwhile', { votesNeeded: 2, expiryMs: 6000 }],
])('where %s, a thousand answers have one winner, and every loser is told', async (_what, asking) => {
  const sessions = await Promise.all(
    Array.from({ length: PERSONS * SESSIONS_EACH }, async (_, index) => {
      const who = `Person ${index % PERSONS}`;
      return { who, person: await lab.signedIn({ name: who }) };
    }),
  );
  const incident = await lab.asked(asking);
  const ready = await Promise.all(
    sessions.map(async ({ who, person }, index) => {
      const { fields } = (await person.get(`/approvals/${incident.id}`)).form(/review/);
      const choice: Outcome = index % 7 === 3 ? 'leave' : 'isolate';
      return { who, choice, press: () => pressed(person, incident, { ...fields, choice, reason: `${who} says so` }) };
    }),
  );
  const expiryMs = 'expiryMs' in asking ? asking.expiryMs : undefined;
  if (expiryMs !== undefined) await delay(Math.max(0, Date.parse(incident.openedAt) + expiryMs - Date.now() - 20));

  const told: Told[] = [];
  const presses = Array.from({ length: POSTS_EACH }, () => ready).flat();
  const [ends] = await Promise.all([
    Promise.all(Array.from({ length: RIVALS }, (_, index) => rival(incident, index, expiryMs !== undefined))),
    inLanes(presses, IN_FLIGHT, async ({ who, choice, press }) => void told.push({ who, choice, page: await press() })),
  ]);

  expect(told.length + ends.length).toBe(1000);
  expect(await lab.decisions(incident)).toBe(1);
  const now = await lab.now(incident);
  const { decision } = now;
  expect(new Set(ends.filter((id) => id !== undefined))).toEqual(
    new Set(ends.some(Boolean) ? [decision?.eventId] : []),
  );
  for (const one of told) expect([one.who, one.choice, wrongIn(one, now)]).toEqual([one.who, one.choice, undefined]);
  // What stands was said by those who are named, once each.
  const names = (decision?.votes ?? []).map(({ person }) => person.name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toHaveLength(decision?.outcome === 'isolate' ? asking.votesNeeded : names.length);
});

async function pressed(person: Person, { id }: Incident, fields: Record<string, string>): Promise<Page> {
  return person.post(`/approvals/${id}/decide`, fields);
}

/** Another instance of approval, with an answer of somebody else's or the timer. The id of the decision it made, if any. */
async function rival(incident: Incident, index: number, isLate: boolean): Promise<string | undefined> {
  const bus = others[index % OTHERS];
  if (!bus) throw new Error('no other instance');
  const result = await bus.log.transact(incident, (state) => {
    const now = new Date();
    if (isLate && index % 2 === 0) return onTime(state, incident.id, TERMS, now);
    const person = personCalled(`Rival ${index % 10}`);
    const outcome = index % 3 === 0 ? 'leave' : 'isolate';
    return decide(state, anAnswer(incident, { person, groups: [APPROVERS], outcome }), TERMS, now);
  });
  if ('refused' in result) return undefined;
  return result.events.find(({ type }) => type === 'approval.decided')?.id;
}

/** What is wrong with what somebody was told, given how it ended; nothing where it is right. */
function wrongIn({ who, choice, page }: Told, { id, decision, question, ...rest }: Incident): string | undefined {
  const said = `${page.status} ${page.text.slice(0, 300)}`;
  const winner = decision?.decidedBy?.name;
  if (page.status === 200) {
    // Led back to the incident: taken, or sent twice.
    const isCounted = question?.votes.some((vote) => vote.person.name === who) ?? false;
    const isOwn = winner === who && decision?.outcome === choice;
    return page.url.pathname === `/approvals/${id}` && (isOwn || (choice === 'isolate' && isCounted))
      ? undefined
      : said;
  }
  if (decision?.outcome === 'expired') {
    return page.status === 410 && page.text.includes('Too late: the question has expired') ? undefined : said;
  }
  if (page.status === 410) return question && page.text.includes('has expired') ? undefined : said;
  const headline = describe({ id, ...rest, ...(decision && { decision }) }).headline.replace(/\.$/, '');
  const sentence = `${winner === who ? 'You' : winner} already decided: ${headline}`;
  return page.status === 409 && page.text.includes(sentence) ? undefined : said;
}
