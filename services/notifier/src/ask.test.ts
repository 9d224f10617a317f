import { someTerms } from '@cordon/incident/builders';
import { expect, test } from 'vitest';
import { aMachine, startWorld } from './testing.ts';

/** A question that nobody answers: the people around it hear of it, each through the channel that works. */

const SLOW = { timeout: 25_000, interval: 50 };
const TO = { mail: ['duty@example.com'], slack: ['U0DUTY'] };
const asked = { terms: someTerms({ contacts: TO }) };

test('an escalation reaches those whom policy names, and nobody twice', async () => {
  await using world = await startWorld();
  const machine = aMachine();
  const nobody = { mail: [], slack: [] };
  await world.happen(machine.detected(), machine.asked(asked), machine.reminded());
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(2);
  await world.happen(machine.escalated('unanswered', TO));
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(3);
  await world.happen(machine.decided('expired'), machine.escalated('expired', nobody));
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(5);
  const about = `High MyDFIR - HackTool - Lazagne on WIN-01 (case ${machine.incidentId.slice(0, 8)})`;
  const mails = world.mail.mails();
  expect(mails.map(({ to, subject, deliveries }) => [to, subject, deliveries])).toEqual([
    ['soc@example.com', `[Cordon] ${about}`, 1],
    ['soc@example.com', `Re: [Cordon] ${about}`, 1],
    ['duty@example.com', `[Escalation] ${about}`, 1],
    ['soc@example.com', `Re: [Cordon] ${about}`, 1],
  ]);
  expect(mails[2]).toMatchObject({
    inReplyTo: undefined,
    text: expect.stringMatching(/^Escalated: not decided yet\n\nWaiting for a decision: Isolate WIN-01\?/),
  });

  await expect.poll(() => world.done('notifier-slack'), SLOW).toBe(6);
  const posts = world.slack.calls
    .filter(({ method }) => method === 'chat.postMessage')
    .map(({ arguments: { text, blocks = '', reply_broadcast } }) => [
      text?.split('. ')[0],
      [...blocks.matchAll(/"user_id":"(\w+)"/g)].map(([, user]) => user).join(),
      reply_broadcast,
    ]);
  expect(posts.slice(1)).toEqual([
    ['Reminded: not decided yet', 'U0DUTY', undefined],
    ['Escalated: not decided yet', 'U0DUTY', 'true'],
    ['Machine not isolated: nobody decided in time', '', undefined],
    ['Escalated: the question expired', '', 'true'],
  ]);
});

test('a question that one channel did not take is asked through the other', async () => {
  await using world = await startWorld();
  const machine = aMachine();
  world.slack.faults.add({ kind: 'down' });
  await world.happen(machine.detected(), machine.asked(asked), machine.overdue('slack'));
  await expect.poll(() => world.mail.mails().length, SLOW).toBe(2);
  expect(world.mail.mails()[1]).toMatchObject({
    to: 'duty@example.com',
    subject: expect.stringMatching(/^\[Slack not reached\] /),
    text: expect.stringMatching(/^Slack did not take the question in time: asked by mail\n\nWaiting for a decision/),
  });
  world.slack.faults.clear();
  await expect.poll(() => world.slack.messages().length, SLOW).toBe(1);

  const other = aMachine({ hostname: 'WIN-02' });
  world.mail.faults.add({ kind: 'down' });
  await world.happen(other.detected(), other.asked(asked), other.overdue('email'));
  const thread = () => world.slack.messages().find(({ text }) => text.includes('WIN-02'))?.replies ?? [];
  await expect
    .poll(() => JSON.stringify(thread().at(-1)?.blocks), SLOW)
    .toMatch(/U0DUTY.*Mail did not take the question/);
});

test('a question about what a guard held back is told like a first one', async () => {
  await using world = await startWorld();
  const machine = aMachine();
  await world.happen(machine.detected(), machine.asked(), machine.decided('isolate'), machine.held());
  await world.happen(machine.asked({ votesNeeded: 2, why: 'Ten machines were isolated within an hour.' }));
  await expect.poll(() => world.mail.mails().length, SLOW).toBe(2);
  expect(world.mail.mails()[1]?.text).toMatch(/2 persons have to agree.*\n(.*\n)*\| Why: Ten machines/);
  await expect.poll(() => world.slack.messages()[0]?.replies.at(-1)?.text, SLOW).toBe('Team asked. Host: WIN-01.');
  await expect.poll(() => JSON.stringify(world.slack.messages()[0]?.blocks), SLOW).toContain('Ten machines');
});
