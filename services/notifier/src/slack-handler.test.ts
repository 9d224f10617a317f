import { eventId } from '@cordon/contracts';
import { someTerms } from '@cordon/incident/builders';
import type { SlackMessage } from '@cordon/sandbox';
import { expect, test } from 'vitest';
import { aMachine, startWorld } from './testing.ts';

const SLOW = { timeout: 25_000, interval: 50 };
/** Everything a reader sees. */
const words = (message: { text: string; blocks: unknown }): string =>
  `${message.text} ${JSON.stringify(message.blocks)}`;
const headings = ({ replies }: SlackMessage): string[] => replies.map(({ text }) => text);

test('tells the whole story in one message and its thread', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.happen(machine.detected(), machine.asked());
  await expect.poll(() => JSON.stringify(world.slack.messages()), SLOW).toContain('Decide by');
  await world.happen(
    machine.decided('isolate', 'it is a password dumper'),
    machine.requested(),
    machine.confirmed(),
    machine.releaseAsked(),
    machine.releaseAccepted(),
    machine.released(),
  );
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(7);

  const messages = world.slack.messages();
  expect(messages).toHaveLength(1);
  const [message] = messages;
  if (!message) throw new Error('nothing posted');
  expect(message.text).toBe('Machine released. Host: WIN-01. High: MyDFIR - HackTool - Lazagne');
  expect(headings(message)).toEqual([
    'Isolation decided. Host: WIN-01.',
    'Isolation requested. Host: WIN-01.',
    'Machine isolated. Host: WIN-01.',
    'Release requested. Host: WIN-01.',
    'Machine released. Host: WIN-01.',
  ]);
  expect(words(message)).toContain(`https://cordon.example.com/approvals/${machine.incidentId}`);
  expect(words(message)).not.toContain('Review and decide');
  for (const sent of [message, ...message.replies])
    expect(sent).toMatchObject({ unfurlLinks: false, unfurlMedia: false });
  expect((await world.bus.log.load(machine.endpoint)).state.incident?.sent).toHaveLength(6);
});

test('has a button to decide in Slack where policy allows it, until it is decided', async () => {
  await using world = await startWorld({ mail: false });
  const [here, onThePage] = [aMachine({ hostname: 'WIN-HERE' }), aMachine({ hostname: 'WIN-PAGE' })];
  const actionsOf = (hostname: string) => {
    const message = world.slack.messages().find((candidate) => words(candidate).includes(hostname));
    return message?.blocks.flatMap((block) => (block.type === 'actions' ? block.elements : [])) ?? [];
  };
  await world.happen(here.detected(), here.asked({ terms: someTerms({ slackDecides: true }) }));
  await world.happen(onThePage.detected(), onThePage.asked({ terms: someTerms({ slackDecides: false }) }));
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(4);
  expect(actionsOf('WIN-HERE').map(({ action_id, value }) => [action_id, value])).toEqual([
    ['open_incident', undefined],
    ['decide', here.incidentId],
  ]);
  expect(actionsOf('WIN-PAGE').map(({ action_id }) => action_id)).toEqual(['open_incident']);
  await world.happen(here.decided('leave', 'a planned exercise'));
  await expect.poll(() => actionsOf('WIN-HERE').map(({ action_id }) => action_id), SLOW).toEqual(['open_incident']);
});

test('a no says: Machine not isolated.', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.happen(machine.detected(), machine.asked(), machine.decided('leave', 'a planned exercise'));
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(3);
  const [message] = world.slack.messages();
  expect(message?.text).toMatch(/^Machine not isolated\. Host: WIN-01\./);
  const reply = message?.replies.at(-1);
  expect(reply?.text).toBe('Machine not isolated. Host: WIN-01.');
  expect(JSON.stringify(reply?.blocks)).toMatch(/Ada Lovelace.*a planned exercise/);
});

test('what was told is not told again, not even to somebody who starts from scratch', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.happen(machine.detected());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(1);
  await world.stop();
  await world.start();
  await world.happen(machine.asked());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(2);
  const [message, ...others] = world.slack.messages();
  expect(others).toEqual([]);
  expect(message?.replies).toEqual([]);
});

test('a lost journal is no loss: the log says what was sent', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.happen(machine.detected());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(1);
  const intents = await world.bus.bucket('intents');
  await intents.purge(`slack.${machine.incidentId}.incident`);
  await world.happen(machine.asked());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(2);
  expect(world.slack.messages()).toHaveLength(1);
});

test('and a journal that knows more than the log is believed', async () => {
  await using world = await startWorld({ mail: false });
  await world.stop();
  const machine = aMachine();
  const intents = await world.bus.bucket('intents');
  const startedAt = new Date().toISOString();
  await intents.create(
    `slack.${machine.incidentId}.incident`,
    JSON.stringify({ startedAt, attempt: 1, reference: '1.2' }),
  );
  await world.happen(machine.detected());
  await world.start();
  await expect.poll(() => world.slack.calls.map(({ method }) => method), SLOW).toEqual(['chat.update']);
});

test('a message that was posted before a crash is found and adopted', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.stop();
  await world.happen(machine.detected());
  // What a process leaves behind that is killed between Slack's answer and its own record of it.
  const intents = await world.bus.bucket('intents');
  await intents.create(
    `slack.${machine.incidentId}.incident`,
    JSON.stringify({ startedAt: new Date(Date.now() - 5000).toISOString(), attempt: 1 }),
  );
  const metadata = {
    event_type: 'cordon_notification',
    event_payload: {
      notification_id: eventId('notification.sent', machine.incidentId, 'slack', 'incident'),
      incident_id: machine.incidentId,
    },
  };
  await fetch(new URL('chat.postMessage', world.slack.apiUrl), {
    method: 'POST',
    headers: { authorization: 'Bearer xoxb-for-tests' },
    body: new URLSearchParams({
      channel: 'C0ALERTS1',
      text: 'posted, then killed',
      metadata: JSON.stringify(metadata),
    }),
  });
  await world.start();
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(1);
  expect(world.slack.messages()).toHaveLength(1);
  expect(world.slack.messages()[0]?.revisions[0]?.text).toBe('posted, then killed');
  expect(world.slack.messages()[0]?.text).toContain('WIN-01');
});

for (const kind of ['reset', 'server-error', 'html'] as const) {
  test(`stored, then ${kind}: there is one message`, async () => {
    await using world = await startWorld({ mail: false });
    const machine = aMachine();
    world.slack.faults.add({ kind, method: 'chat.postMessage', stored: true, times: 2 });
    await world.happen(machine.detected(), machine.asked(), machine.decided('leave'));
    await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(3);
    expect(world.slack.messages()).toHaveLength(1);
    expect(world.slack.messages()[0]?.replies).toHaveLength(1);
  });
}

test('not stored and no answer: searched for, then posted', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  world.slack.faults.add({ kind: 'reset', method: 'chat.postMessage', times: 1 });
  await world.happen(machine.detected());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(1);
  expect(world.slack.messages()).toHaveLength(1);
  expect(world.slack.calls.filter(({ method }) => method === 'conversations.history').length).toBeGreaterThan(0);
});

test('waits as long as Slack asks', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  world.slack.faults.add({ kind: 'rate-limited', retryAfterSeconds: 2, method: 'chat.postMessage', times: 1 });
  await world.happen(machine.detected());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(1);
  const [limited, next] = world.slack.calls.filter(({ method }) => method === 'chat.postMessage');
  if (!limited || !next) throw new Error('too few calls');
  expect(Date.parse(next.at) - Date.parse(limited.at)).toBeGreaterThanOrEqual(2000);
  expect(world.slack.messages()).toHaveLength(1);
});

test('a message that Slack will never take is a dead letter, and only once per reason', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  world.slack.faults.add({ kind: 'error', error: 'invalid_blocks', method: 'chat.postMessage', times: 1 });
  await world.happen(machine.detected());
  await expect.poll(() => world.dead('notifier-slack'), SLOW).toBe(1);
  await world.happen(machine.asked()); // the next event tries the message again
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(2);
  expect(world.slack.messages()).toHaveLength(1);
  expect(world.dead('notifier-slack')).toBe(1);
});

test('a refused reply keeps neither the status nor the other replies back', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.happen(machine.detected(), machine.asked());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(2);
  world.slack.faults.add({ kind: 'error', error: 'msg_too_long', method: 'chat.postMessage' });
  await world.happen(machine.decided('isolate'));
  await expect.poll(() => world.dead('notifier-slack'), SLOW).toBe(1);
  expect(world.slack.messages()[0]?.text).toContain('Isolation decided');
  world.slack.faults.clear();
  await world.happen(machine.requested());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(4);
  expect(world.dead('notifier-slack')).toBe(1);
  expect(world.slack.messages().flatMap(headings)).toEqual(['Isolation requested. Host: WIN-01.']);
});

test('a wrong token or channel keeps every message until it is fixed, and says what to do', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  world.slack.faults.add({ kind: 'error', error: 'not_in_channel', method: 'chat.postMessage' });
  await world.happen(machine.detected());
  await expect.poll(() => world.lines.join('\n'), SLOW).toContain('Invite the Slack app to the channel.');
  expect(world.done('notifier-slack')).toBe(0);
  expect(world.dead('notifier-slack')).toBe(0);
  expect(world.slack.calls.filter(({ method }) => method === 'chat.postMessage')).toHaveLength(1);
});

test('a deleted message does not stop the thread', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.happen(machine.detected());
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(1);
  world.slack.faults.add({ kind: 'error', error: 'message_not_found', method: 'chat.update' });
  await world.happen(machine.asked(), machine.decided('expired'));
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(3);
  expect(world.dead('notifier-slack')).toBe(0);
  expect(world.slack.messages()[0]?.replies.at(-1)?.text).toContain('nobody decided in time');
});
