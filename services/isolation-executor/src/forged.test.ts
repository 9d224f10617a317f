import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { connectOperator } from '@cordon/bus';
import { type CordonEvent, encodeEvent, subjectOf } from '@cordon/contracts';
import { ask, decide, type Decision } from '@cordon/incident';
import { ALICE, anAnswer, anAsking, BOB, someTerms } from '@cordon/incident/builders';
import { parsePolicy } from '@cordon/policy';
import { createLogger } from '@cordon/service';
import { connect, headers } from '@nats-io/transport-node';
import { jetstream } from '@nats-io/jetstream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Lab, signed } from './lab.ts';

/** What somebody who can write to the broker might try. */

const stranger = generateKeyPairSync('ed25519').privateKey;
let lab: Lab;
let errors: string[];
beforeEach(async () => {
  errors = [];
  const log = createLogger('test', 'error', { write: (line) => void errors.push(line) });
  lab = await Lab.start({ hosts: ['win-srv-07', 'other'], log });
});
afterEach(() => lab[Symbol.asyncDispose]());

/** Puts an event there as a stranger would: with no expectation, and under a name that no repetition is dropped by. */
async function plant(event: CordonEvent, endpoint = lab.endpoint): Promise<void> {
  const connection = await connect({ servers: lab.broker.url });
  const message = encodeEvent(event);
  const header = headers();
  for (const [name, value] of Object.entries(message.headers)) header.set(name, value);
  header.set('Nats-Msg-Id', randomUUID());
  await jetstream(connection).publish(subjectOf(endpoint, event.type), message.payload, { headers: header });
  await connection.close();
}

/** What approval would append for this answer, before it is signed. */
async function aDecision(
  outcome: 'isolate' | 'leave' = 'isolate',
  endpoint = lab.endpoint,
  person = ALICE,
): Promise<Decision> {
  const { state } = await lab.bus.log.load(endpoint);
  return decide(state, anAnswer(state.incident, { outcome, person }), someTerms(), new Date());
}

function eventOf(decision: Decision): CordonEvent & { type: 'approval.decided' } {
  const event = 'events' in decision ? decision.events[0] : undefined;
  if (event?.type !== 'approval.decided') throw new Error('no decision');
  return event;
}

async function letters(): Promise<string[]> {
  await using operator = await connectOperator({ url: lab.broker.url, name: 'reader' });
  const found = await Array.fromAsync(operator.deadLetters());
  return found.map(({ value }) => ('reason' in value ? value.reason : ''));
}

const problem = async () => (await lab.incident()).problem?.code;

test.each([
  ['is not signed', (decision: Decision) => eventOf(decision)],
  ['is signed by a stranger', (decision: Decision) => eventOf(signed(decision, stranger))],
  [
    'was altered after it was signed',
    (decision: Decision) => {
      const event = eventOf(signed(decision));
      return { ...event, data: { ...event.data, validUntil: new Date(Date.now() + 86_400_000).toISOString() } };
    },
  ],
] as const)('a decision that %s is refused and reported, and LimaCharlie never called', async (_how, forge) => {
  await lab.startExecutor();
  await lab.openIncident();
  await plant(forge(await aDecision()));
  await expect.poll(lab.status).toBe('refused');
  expect(await problem()).toBe('not_authentic');
  expect(errors.join()).toContain('forged decision refused');
  expect(lab.isolations()).toEqual([]);
});

test('a decision moved to another machine is refused there', async () => {
  const [, other] = lab.endpoints;
  if (!other) throw new Error('no other machine');
  await lab.startExecutor();
  await lab.openIncident();
  const { id: incidentId } = await lab.openIncident({ hostname: 'other', endpoint: other });
  const event = eventOf(signed(await aDecision()));
  await plant({ ...event, ...other, data: { ...event.data, incidentId } }, other);
  await expect.poll(() => lab.statusOf(other)).toBe('refused');
  expect((await lab.incident(other)).problem?.code).toBe('not_authentic');
  expect(await lab.status()).toBe('asked');
  expect(lab.isolations()).toEqual([]);
});

test('a no that nobody said does nothing but reach the operators', async () => {
  await lab.startExecutor();
  await lab.openIncident();
  await plant(eventOf(signed(await aDecision('leave'), stranger)));
  await expect.poll(letters).toEqual([expect.stringContaining('did not come from')]);
  await expect.poll(() => errors.join()).toContain('kept as a dead letter');
});

test('a decision about an incident that does not exist, and one about a decided one, reach the operators', async () => {
  await lab.startExecutor();
  await lab.openIncident();
  const event = eventOf(await aDecision());
  await plant({ ...event, data: { ...event.data, incidentId: 'unheard of' } });
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('contained');
  await plant({ ...event, id: 'another' });
  await expect.poll(letters).toHaveLength(2);
  expect(await lab.status()).toBe('contained');
  expect(lab.isolations()).toHaveLength(1);
});

test('the same decision again at another place is not carried out again, and reported', async () => {
  await lab.startExecutor();
  await lab.openIncident();
  const decision = signed(await aDecision());
  await lab.bus.log.transact(lab.endpoint, () => decision);
  await expect.poll(lab.status).toBe('contained');
  await plant(eventOf(decision));
  await expect.poll(letters).toEqual([expect.stringContaining('came again')]);
  expect(lab.isolations()).toHaveLength(1);
});

test('a decision that waits for more persons is not let through by coming again', async () => {
  const policy = parsePolicy('tiers: [{ name: all }]\nblast_radius: { isolations: 1 }');
  const [, other] = lab.endpoints;
  if (!other) throw new Error('no other machine');
  await lab.startExecutor({ policy });
  await lab.openIncident({ hostname: 'other', endpoint: other });
  await lab.answer('isolate', other);
  await expect.poll(() => lab.statusOf(other)).toBe('contained');
  await lab.openIncident();
  const decision = signed(await aDecision());
  await lab.bus.log.transact(lab.endpoint, () => decision);
  await expect.poll(lab.status).toBe('held');
  const again = anAsking({ votesNeeded: 2, override: 'blast_radius' });
  await lab.bus.log.transact(lab.endpoint, (state) => ask(state, () => again, new Date()));
  await expect.poll(lab.status).toBe('asked');
  await plant(eventOf(decision));
  await expect.poll(lab.status).toBe('refused');
  expect(await problem()).toBe('earlier_question');
  expect(lab.isolations()).toEqual([other.endpointId]);
});

test.each([
  ['one person of two', [ALICE]],
  ['one person twice, on the page and in Slack', [ALICE, ALICE]],
] as const)('%s is not enough, whoever signed it', async (_what, persons) => {
  await lab.startExecutor();
  await lab.openIncident({ asking: { votesNeeded: 2 } });
  const channels = ['page', 'slack'] as const;
  const votes = persons.map((person, index) => ({
    person,
    channel: channels[index] ?? channels[0],
    at: new Date().toISOString(),
    factsDigest: 'x',
  }));
  await lab.answer('isolate', lab.endpoint, { person: BOB });
  const answered = await aDecision();
  const event = eventOf(answered);
  await plant(eventOf(signed({ events: [{ ...event, data: { ...event.data, votes } }] })));
  await expect.poll(lab.status).toBe('refused');
  expect(await problem()).toBe('quorum');
  expect(lab.isolations()).toEqual([]);
});

test('two persons who voted are enough, each vote with its own signature', async () => {
  await lab.startExecutor();
  await lab.openIncident({ asking: { votesNeeded: 2 } });
  await lab.answer('isolate');
  await lab.answer('isolate', lab.endpoint, { person: BOB });
  await expect.poll(lab.status).toBe('contained');
});

test.each(['was made up', 'was given to another question'])(
  'a vote that %s is not counted, though the decision with it is signed',
  async (how) => {
    const [, other] = lab.endpoints;
    if (!other) throw new Error('no other machine');
    await lab.startExecutor();
    await lab.openIncident({ hostname: 'other', endpoint: other, asking: { votesNeeded: 2 } });
    await lab.answer('isolate', other);
    const [elsewhere] = (await lab.incident(other)).question?.votes ?? [];
    await lab.openIncident({ asking: { votesNeeded: 2 } });
    await lab.answer('isolate');
    const [given] = (await lab.incident()).question?.votes ?? [];
    if (!given?.signature || !elsewhere?.signature) throw new Error('no signed vote');
    const vote = how === 'was made up' ? { ...given, person: { ...ALICE, subject: 'nobody' } } : elsewhere;

    const event = eventOf(await aDecision('isolate', lab.endpoint, BOB));
    const votes = [vote, ...(event.data.votes ?? []).slice(1)];
    await plant(eventOf(signed({ events: [{ ...event, data: { ...event.data, votes } }] })));
    await expect.poll(lab.status).toBe('refused');
    expect((await lab.incident()).problem).toMatchObject({
      code: 'quorum',
      explanation: expect.stringContaining('the votes of 1'),
    });
    expect(lab.isolations()).toEqual([]);
  },
);

test('a release that nobody asked for leaves the machine isolated', async () => {
  await lab.startExecutor();
  await lab.openIncident();
  await lab.answer('isolate');
  await expect.poll(lab.status).toBe('contained');
  await lab.release(stranger);
  await expect.poll(lab.status).toBe('release_failed');
  expect(await problem()).toBe('not_authentic');
  expect(errors.join()).toContain('forged decision refused');
  expect(lab.isolations('DELETE')).toEqual([]);
});
