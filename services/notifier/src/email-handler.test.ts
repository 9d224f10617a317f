import { BrokerUnavailableError } from '@cordon/bus';
import { expect, test, vi } from 'vitest';
import { aMachine, PUBLIC_URL, startWorld } from './testing.ts';

const SLOW = { timeout: 25_000, interval: 50 };

test('mails the question and each outcome, to everybody, in one thread', async () => {
  await using world = await startWorld({ slack: false, mail: { to: ['soc@example.com', 'lead@example.com'] } });
  const machine = aMachine();
  await world.happen(
    machine.detected(),
    machine.asked(),
    machine.decided('isolate'),
    machine.requested(),
    machine.pending('The machine is offline.'),
    machine.confirmed(),
  );
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(5);
  const mails = world.mail.mails();
  expect(mails).toHaveLength(6);
  for (const recipient of ['soc@example.com', 'lead@example.com']) {
    const own = mails.filter(({ recipients }) => recipients.join() === recipient);
    expect(own.map(({ to, deliveries }) => [to, deliveries])).toEqual([
      [recipient, 1],
      [recipient, 1],
      [recipient, 1],
    ]);
    const [question, ...outcomes] = own;
    const root = `<cordon.${machine.incidentId}.question@cordon.example.com>`;
    const subject = `[Cordon] High MyDFIR - HackTool - Lazagne on WIN-01 (case ${machine.incidentId.slice(0, 8)})`;
    expect(question).toMatchObject({ messageId: root, subject, headers: { 'auto-submitted': 'auto-generated' } });
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ subject: `Re: ${subject}`, inReplyTo: root, references: [root] });
    }
  }
  const sent = (await world.bus.log.load(machine.endpoint)).state.incident?.sent ?? [];
  expect(
    sent.map(({ target, occasion }) => `${target} ${occasion}`).filter((entry) => entry.endsWith(' incident')),
  ).toEqual(['soc@example.com incident', 'lead@example.com incident']);
});

test('a no is mailed, and the question no longer asks once it was answered', async () => {
  await using world = await startWorld({ slack: false });
  const machine = aMachine();
  await world.stop();
  await world.happen(machine.detected(), machine.asked(), machine.decided('leave', 'exercise'));
  await world.start();
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(2);
  const [question, answer] = world.mail.mails();
  expect(question?.text).toMatch(/^Machine not isolated: Ada Lovelace decided to leave WIN-01 connected\./);
  expect(question?.text).not.toContain('Decide by');
  expect(answer?.text).toContain(`${PUBLIC_URL}/approvals/${machine.incidentId}`);
});

test('a connection lost after the data: sent again under the same Message-ID', async () => {
  await using world = await startWorld({ slack: false });
  const machine = aMachine();
  world.mail.faults.add({ kind: 'drop', stage: 'data', stored: true, times: 1 });
  await world.happen(machine.detected(), machine.asked());
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(1);
  expect(world.mail.mails().map(({ deliveries }) => deliveries)).toEqual([2]);
  expect(world.lines.filter((line) => line.includes('mailed again, as no answer says'))).toHaveLength(1);
});

test('a mail whose record the broker did not take is recorded later, and not mailed again', async () => {
  await using world = await startWorld({ slack: false });
  const machine = aMachine();
  vi.spyOn(world.handler.log, 'append').mockRejectedValueOnce(new BrokerUnavailableError('away'));
  await world.happen(machine.detected(), machine.asked());
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(1);
  expect(world.mail.mails().map(({ deliveries }) => deliveries)).toEqual([1]);
  expect((await world.bus.log.load(machine.endpoint)).state.incident?.sent).toHaveLength(1);
});

test('one recipient who is refused for good keeps nobody else from being told', async () => {
  await using world = await startWorld({ slack: false, mail: { to: ['gone@example.com', 'soc@example.com'] } });
  const machine = aMachine();
  world.mail.faults.add({ kind: 'reply', code: 550, stage: 'rcpt', recipient: 'gone@example.com', times: 1 });
  await world.happen(machine.detected(), machine.asked());
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(1);
  expect(world.mail.mails().map(({ to }) => to)).toEqual(['soc@example.com']);
  expect(world.dead('notifier-email')).toBe(0);
  await world.happen(machine.decided('leave', 'exercise')); // the question is not tried again for who refused it
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(2);
  expect(world.mail.mails().map(({ to, subject }) => [to, subject.startsWith('Re: ')])).toEqual([
    ['soc@example.com', false],
    ['gone@example.com', true],
    ['soc@example.com', true],
  ]);
});

test('greylisting one recipient delays only that one', async () => {
  await using world = await startWorld({ slack: false, mail: { to: ['grey@example.com', 'soc@example.com'] } });
  const machine = aMachine();
  world.mail.faults.add({ kind: 'reply', code: 451, stage: 'rcpt', recipient: 'grey@example.com', times: 1 });
  await world.happen(machine.detected(), machine.asked());
  await expect.poll(() => world.mail.mails().map(({ to }) => to), SLOW).toEqual(['soc@example.com']);
  await expect
    .poll(() => world.mail.mails().map(({ to }) => to), SLOW)
    .toEqual(['soc@example.com', 'grey@example.com']);
  await expect.poll(() => world.done('notifier-email'), SLOW).toBe(1);
  expect(world.mail.mails().map(({ deliveries }) => deliveries)).toEqual([1, 1]);
});

test('a refused login keeps the mail and says what to do', async () => {
  const server = { host: '127.0.0.1', port: 0, secure: false, auth: { user: 'cordon', pass: 'wrong-one' } };
  await using world = await startWorld({ slack: false, mail: false });
  await world.stop();
  await using other = await startWorld({ slack: false, mail: { server: { ...server, port: world.mail.port } } });
  world.mail.faults.add({ kind: 'reply', code: 535, stage: 'auth' });
  const machine = aMachine();
  await other.happen(machine.detected(), machine.asked());
  await expect.poll(() => other.lines.join('\n'), SLOW).toContain('check user and password in SMTP_URL');
  expect(other.dead('notifier-email')).toBe(0);
  expect(other.lines.join('\n')).not.toContain('wrong-one');
});
