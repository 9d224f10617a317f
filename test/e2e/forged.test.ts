import { randomUUID } from 'node:crypto';
import { ApprovalRequested, ApprovalVoted, type CordonEvent, encodeEvent, subjectOf } from '@cordon/contracts';
import { anAsking } from '@cordon/incident/builders';
import { jetstream } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { policyFile } from '../chaos/policy-file.ts';
import { Story } from './story.ts';

/** Somebody who can write to the broker wants a machine cut off that too few persons want cut off. */

let story: Story;
let policy: Awaited<ReturnType<typeof policyFile>>;
beforeAll(async () => {
  policy = await policyFile('tiers: [{ name: all, quorum: 3 }]');
  story = await Story.begin({ env: { POLICY_FILE: policy.path } });
});
afterAll(async () => {
  await story.system.close();
  await policy[Symbol.asyncDispose]();
});

async function plant(event: CordonEvent): Promise<void> {
  await using connection = await connect({ servers: story.system.natsUrl });
  const { headers: values, payload } = encodeEvent(event);
  const header = headers();
  for (const [name, value] of Object.entries({ ...values, 'Nats-Msg-Id': randomUUID() })) header.set(name, value);
  await jetstream(connection).publish(subjectOf(event, event.type), payload, { headers: header });
}

test('a vote and a question that nobody signed isolate nothing, and operators hear of them', async () => {
  const { slack, limaCharlie, machine } = story.parts;
  const id = await story.follow(() => story.attack());
  const about = () => ({
    id: randomUUID(),
    source: '/cordon/approval',
    at: new Date(),
    endpoint: { tenantId: limaCharlie.oid, endpointId: machine.sid },
  });
  await story.decide(await story.signedIn('Alice'), id, 'isolate');
  const person = { issuer: 'https://id.example.com', subject: 'nobody', name: 'Nobody' };
  const vote = { person, channel: 'page' as const, at: new Date().toISOString(), factsDigest: 'x' };
  await plant(ApprovalVoted.create({ ...about(), data: { incidentId: id, vote } }));
  await plant(ApprovalRequested.create({ ...about(), data: { incidentId: id, ...anAsking() } }));
  const bob = await story.signedIn('Bob');
  await story.decide(bob, id, 'isolate');

  await story.pageSays(bob, id, 'one more yes is missing');
  const { text } = await bob.get(`/approvals/${id}`);
  expect(text).toContain('Alice Approver said yes');
  expect(text).not.toContain('Nobody');
  await expect.poll(() => JSON.stringify(slack.messages())).toContain('Cordon gave up on');
  expect(story.isolations()).toBe(0);
});
