import { expect, test } from 'vitest';
import { aMachine, startWorld } from './testing.ts';

const SLOW = { timeout: 28_000, interval: 50 };

test('Slack down, then up: it catches up in order without doubles, and mail never waited', async () => {
  await using world = await startWorld();
  world.slack.faults.add({ kind: 'down' });
  const machine = aMachine();
  await world.happen(machine.detected(), machine.asked(), machine.decided('expired'));
  await expect.poll(() => world.mail.mails().length, SLOW).toBe(2);
  await expect.poll(() => world.slack.calls.length, SLOW).toBeGreaterThan(1);
  expect(world.done('notifier-slack')).toBe(0);

  world.slack.faults.clear();
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(3);
  expect(world.dead('notifier-slack')).toBe(0);
  const messages = world.slack.messages();
  expect(messages.map(({ text }) => text)).toEqual([
    'Machine not isolated: nobody decided in time. Host: WIN-01. High: MyDFIR - HackTool - Lazagne',
  ]);
  expect(messages[0]?.replies.map(({ text }) => text)).toEqual([
    'Machine not isolated: nobody decided in time. Host: WIN-01.',
  ]);
});

test('mail down, then up: the same, and Slack never waited', async () => {
  await using world = await startWorld();
  world.mail.faults.add({ kind: 'down' });
  const machine = aMachine();
  await world.happen(machine.detected(), machine.asked(), machine.decided('leave', 'exercise'));
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(3);
  expect(world.mail.mails()).toEqual([]);

  world.mail.faults.clear();
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(2);
  expect(world.dead('notifier-email')).toBe(0);
  expect(world.mail.mails().map(({ subject, deliveries }) => [subject.slice(0, 4), deliveries])).toEqual([
    ['[Cor', 1],
    ['Re: ', 1],
  ]);
});

test('300 detections on one machine cost a few posts, and the count ends up exact', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.happen(machine.detected());
  await Promise.all(Array.from({ length: 297 }, () => world.bus.log.append(machine.detected({}))));
  await world.happen(machine.detected({ commandLine: 'LaZagne.exe browsers' }), machine.detected({}));
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(300);

  const [message, ...others] = world.slack.messages();
  expect(others).toEqual([]);
  expect(JSON.stringify(message?.blocks)).toContain('300, 2 different findings');
  expect(message?.replies.map(({ text }) => text)).toEqual(['Another finding on WIN-01: MyDFIR - HackTool - Lazagne']);
  expect(message?.updateCount).toBeLessThan(12);
});

test('while a storm goes on, the message is updated every two seconds at most', async () => {
  await using world = await startWorld({ mail: false });
  const machine = aMachine();
  await world.happen(machine.detected());
  const updates = () => world.slack.calls.filter(({ method }) => method === 'chat.update');
  let count = 1;
  for (; updates().length < 3; count++) await world.happen(machine.detected({}));
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(count);
  const times = updates().map(({ at }) => Date.parse(at));
  for (const [index, time] of times.slice(1).entries()) expect(time - (times[index] ?? 0)).toBeGreaterThanOrEqual(2000);
  expect(JSON.stringify(world.slack.messages()[0]?.blocks)).toContain(`{"type":"text","text":"${count}"}`);
});

test('a storm on one machine does not delay the first message about another', async () => {
  await using world = await startWorld({ mail: false });
  const noisy = aMachine({ hostname: 'NOISY' });
  const calm = aMachine({ hostname: 'CALM' });
  await world.happen(noisy.detected());
  for (let n = 0; n < 18; n++) await world.happen(noisy.detected({ commandLine: `tool.exe ${n}` }));
  await expect.poll(() => world.slack.messages().length, SLOW).toBe(1);
  const before = Date.now();
  await world.happen(calm.detected());
  await expect
    .poll(
      () =>
        world.slack
          .messages()
          .map(({ text }) => text)
          .join(),
      SLOW,
    )
    .toContain('CALM');
  expect(Date.now() - before).toBeLessThan(5000);
  expect(world.slack.messages()[0]?.replies.length).toBeLessThan(12);
});

test(
  'a thousand updates that wait for their turns do not keep a new message waiting',
  { timeout: 60_000 },
  async () => {
    await using world = await startWorld({ mail: false, slack: { postsPerSecond: 1000 } });
    const machines = Array.from({ length: 1100 }, () => aMachine());
    await Promise.all(machines.map((machine) => world.happen(machine.detected())));
    await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(1100);
    await Promise.all(machines.map((machine) => world.happen(machine.asked())));
    const sentAway = () => world.handled.filter((line) => line === 'notifier-slack retried').length;
    await expect.poll(sentAway, SLOW).toBeGreaterThan(900);
    const another = aMachine({ hostname: 'ANOTHER' });
    await world.happen(another.detected(), another.asked());
    const texts = () => world.slack.messages().map(({ text }) => text);
    await expect.poll(texts, { ...SLOW, timeout: 15_000 }).toContainEqual(expect.stringContaining('ANOTHER'));
  },
);

test('the broker may be killed at any time', async () => {
  await using world = await startWorld();
  const machine = aMachine();
  await world.happen(machine.detected(), machine.asked());
  await expect.poll(() => world.slack.messages().length, SLOW).toBe(1);
  await world.broker.kill();
  await world.broker.restart();
  await world.happen(machine.decided('leave', 'exercise'));
  await expect.poll(() => world.slack.messages()[0]?.text, SLOW).toContain('Machine not isolated.');
  await expect.poll(() => world.slack.messages()[0]?.replies.length, SLOW).toBe(1);
  await expect.poll(() => world.mail.mails().length, SLOW).toBe(2);
  expect(world.slack.messages()).toHaveLength(1);
  expect(world.mail.mails().map(({ deliveries }) => deliveries)).toEqual([1, 1]);
});

test('two notifiers at once: one message, one thread in order, and the present', async () => {
  await using world = await startWorld({ mail: false });
  await world.start();
  const machines = [aMachine({ hostname: 'A' }), aMachine({ hostname: 'B' })];
  for (const machine of machines) {
    await world.happen(
      machine.detected(),
      machine.asked(),
      machine.decided('isolate'),
      machine.requested(),
      machine.confirmed(),
    );
  }
  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(10);
  const messages = world.slack.messages();
  expect(messages.map(({ text }) => text.slice(0, 25)).sort()).toEqual([
    'Machine isolated. Host: A',
    'Machine isolated. Host: B',
  ]);
  for (const { replies } of messages) {
    expect(replies.map(({ text }) => text.split('.')[0])).toEqual([
      'Isolation decided',
      'Isolation requested',
      'Machine isolated',
    ]);
  }
});
