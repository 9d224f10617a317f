import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { connectOperator, CONSUMERS } from '@cordon/bus';
import { ApprovalRequested, ApprovalVoted, type CordonEvent, eventId } from '@cordon/contracts';
import { aDetectionRaised } from '@cordon/contracts/builders';
import { type Incident, incidentIdOf } from '@cordon/incident';
import { anAsking } from '@cordon/incident/builders';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page, Person } from '../../../test/e2e/person.ts';
import { reportForgeries } from './handler.ts';
import { type Lab, personCalled, publicKey, startLab, TERMS } from './page-lab.ts';
import { signedLog } from './signed-log.ts';

/** What somebody who can write to the broker might try, so that approval signs what they want. */

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

async function answer(person: Person, { id }: Pick<Incident, 'id'>, choice = 'isolate'): Promise<Page> {
  const { action, fields } = (await person.get(`/approvals/${id}`)).form(/review/);
  const confirmation = await person.post(action, { ...fields, choice, reason: 'the test says so' });
  const last = confirmation.form(/decide/);
  return person.post(last.action, last.fields);
}

async function reports(): Promise<string[]> {
  await using operator = await connectOperator({ url: lab.broker.url, name: 'reader' });
  const found = await Array.fromAsync(operator.deadLetters());
  return found.map(({ value }) => ('reason' in value ? value.reason : ''));
}

function aVoteOf(name: string, incident: Incident): CordonEvent {
  const at = new Date();
  const vote = { person: personCalled(name), channel: 'page' as const, at: at.toISOString(), factsDigest: 'x' };
  const about = { id: randomUUID(), source: '/cordon/approval', at, endpoint: incident };
  return ApprovalVoted.create({ ...about, data: { incidentId: incident.id, vote } });
}

test('a forged vote between two real ones is neither counted nor shown, and is reported', async () => {
  const handled: string[] = [];
  const look = await lab.bus.consumeEvents(
    CONSUMERS.arm,
    reportForgeries(async ({ type }) => void handled.push(type), [publicKey]),
  );
  const incident = await lab.asked({ votesNeeded: 3 });
  const [alice, bob, carol] = [
    await lab.signedIn({ name: 'Alice' }),
    await lab.signedIn({ name: 'Bob' }),
    await lab.signedIn({ name: 'Carol' }),
  ];
  await answer(alice, incident);
  await lab.append(aVoteOf('Mallory', incident));
  const { text } = await answer(bob, incident);
  expect(text).toContain('Alice said yes');
  expect(text).toContain('Bob said yes');
  expect(text).toContain('one more yes is missing');
  expect(text).not.toContain('Mallory');
  expect((await lab.now(incident)).status).toBe('asked');
  await expect.poll(reports).toEqual([expect.stringContaining('It carries no signature')]);
  await expect.poll(() => handled.filter((type) => type === 'approval.voted')).toHaveLength(3);

  await answer(carol, incident);
  const { status, decision } = await lab.now(incident);
  expect(status).toBe('approved');
  expect(decision?.votes?.map(({ person }) => person.name)).toEqual(['Alice', 'Bob', 'Carol']);
  await look.stop();
});

test('a vote given to another incident is not counted here', async () => {
  const [here, there] = [await lab.asked({ votesNeeded: 2 }), await lab.asked({ votesNeeded: 2 })];
  await answer(await lab.signedIn({ name: 'Alice' }), there);
  const [vote] = (await lab.now(there)).question?.votes ?? [];
  if (!vote?.signature) throw new Error('the vote is not signed');
  const { signature, ...given } = vote;
  const about = { id: randomUUID(), source: '/cordon/approval', at: new Date(vote.at), endpoint: here };
  await lab.append(ApprovalVoted.create({ ...about, data: { incidentId: here.id, vote: given, signature } }));
  await answer(await lab.signedIn({ name: 'Bob' }), here);
  expect((await lab.now(here)).status).toBe('asked');
});

test('a question that somebody else asked, with one yes enough, takes a no and nothing else', async () => {
  const raised = aDetectionRaised();
  const incidentId = incidentIdOf(raised.data.detection);
  const id = eventId('approval.requested', incidentId);
  const asked = { incidentId, ...anAsking({ terms: TERMS }) };
  await lab.append(raised);
  await lab.append(
    ApprovalRequested.create({ id, source: '/cordon/approval', at: new Date(), endpoint: raised, data: asked }),
  );
  const incident = await lab.now(raised);
  expect(incident).toMatchObject({ status: 'asked', question: { votesNeeded: 1 } });

  const alice = await lab.signedIn({ name: 'Alice' });
  const page = await alice.get(`/approvals/${incidentId}`);
  expect(page.text).toContain("did not come from Cordon's approval service");
  expect(page.body).not.toContain('value="isolate"');
  const { action, fields } = page.form(/review/);
  const insisted = await alice.post(action.replace('review', 'decide'), {
    ...fields,
    choice: 'isolate',
    reason: 'all the same',
  });
  expect(insisted.status).toBe(409);
  expect(insisted.text).toContain("did not come from Cordon's approval service");
  expect((await lab.now(raised)).status).toBe('asked');
  await answer(alice, incident, 'leave');
  expect((await lab.now(raised)).status).toBe('left');
});

test('a question outlives a change of the key where both keys are known, and only then', async () => {
  const incident = await lab.asked();
  const { privateKey: next, publicKey: known } = generateKeyPairSync('ed25519');
  const isForeign = async (keys: Parameters<typeof signedLog>[2]) =>
    (await signedLog(lab.bus.log, next, keys).load(incident)).state.incident?.question?.isForeign;
  expect(await isForeign([known, publicKey])).toBeUndefined();
  expect(await isForeign([known])).toBe(true);
});
