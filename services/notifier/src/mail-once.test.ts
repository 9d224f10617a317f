import { BrokerUnavailableError, RetryLaterError } from '@cordon/bus';
import { stored } from '@cordon/contracts/builders';
import { createLogger } from '@cordon/service';
import { Registry } from 'prom-client';
import { expect, test, vi } from 'vitest';
import { connectMailer } from './email.ts';
import { attempt, createJournal, journalKey } from './journal.ts';
import { createMailOnce, type Letter, type MailOnce } from './mail-once.ts';
import { createNumbers } from './numbers.ts';
import { aMachine, startWorld } from './testing.ts';

/** Several notifiers on one broker and one mail server, and a question that each of them is to mail. */

const TARGET = 'soc@example.com';

async function aQuestion() {
  await using parts = new AsyncDisposableStack();
  const world = parts.use(await startWorld({ slack: false, mail: false }));
  const machine = aMachine();
  await world.happen(machine.detected(), machine.asked());
  const incidentNow = async () => {
    const { incident } = (await world.bus.log.load(machine.endpoint)).state;
    if (!incident) throw new Error('no incident');
    return incident;
  };
  const [event] = stored([machine.asked()]);
  if (!event) throw new Error('no event');
  const letter = async (): Promise<Letter> => ({
    about: { incident: await incidentNow(), channel: 'email', occasion: 'incident', target: TARGET },
    thread: { messageId: '<question@cordon.example.com>' },
    content: () => ({ subject: 'Isolate?', text: 'Isolate?', html: '<p>Isolate?</p>', urgent: true }),
  });
  const key = journalKey('email', machine.incidentId, 'incident', Buffer.from(TARGET).toString('base64url'));
  const journal = createJournal(await world.handler.bucket('intents'));
  const log = createLogger('notifier', 'silent');
  const whole = parts.move();
  return {
    world,
    journal,
    key,
    aNotifier(): () => ReturnType<MailOnce> {
      const mailer = connectMailer({
        server: { host: '127.0.0.1', port: world.mail.port, secure: false },
        requireTls: false,
        from: { name: 'Cordon', address: 'cordon@cordon.example.com' },
        to: [TARGET],
      });
      whole.defer(() => mailer.close());
      const numbers = createNumbers(new Registry());
      const mailOnce = createMailOnce({ mailer, log: world.handler.log, journal, numbers });
      return async () => mailOnce(await letter(), event, log);
    },
    deliveries: () => world.mail.mails().reduce((sum, mail) => sum + mail.deliveries, 0),
    recorded: async () => (await incidentNow()).sent.length,
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

test('of two processes one mails, and the other comes back until it is done', async () => {
  await using question = await aQuestion();
  question.world.mail.faults.add({ kind: 'slow', stage: 'data', delayMs: 300 });
  const [one, other] = [question.aNotifier(), question.aNotifier()];
  const results = await Promise.allSettled([one(), other()]);
  expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect(results.find((result) => result.status === 'rejected')?.reason).toBeInstanceOf(RetryLaterError);
  await other();
  await one();
  expect(question.deliveries()).toBe(1);
  expect(await question.recorded()).toBe(1);
});

test('killed before the mail was on its way, or without an answer: mailed after its time, and at once', async () => {
  await using question = await aQuestion();
  const { journal, key } = question;
  await journal.begin(key, attempt(1));
  await expect(question.aNotifier()()).rejects.toBeInstanceOf(RetryLaterError);
  expect(question.deliveries()).toBe(0);
  await journal.settle(key, { ...attempt(1), startedAt: minutesAgo(2) });
  await question.aNotifier()();
  expect(question.deliveries()).toBe(1);
});

test('an answer that never came: mailed again at once', async () => {
  await using question = await aQuestion();
  question.world.mail.faults.add({ kind: 'drop', stage: 'data', stored: true, times: 1 });
  await expect(question.aNotifier()()).rejects.toBeInstanceOf(RetryLaterError);
  expect((await question.journal.find(question.key))?.entry.unknownSince).toBeDefined();
  await question.aNotifier()();
  expect(question.deliveries()).toBe(2);
});

test.each(['log', 'journal'] as const)('killed when only the %s knew: not mailed again', async (which) => {
  await using question = await aQuestion();
  const away = new BrokerUnavailableError('killed');
  const { log } = question.world.handler;
  if (which === 'log') vi.spyOn(question.journal, 'settle').mockRejectedValueOnce(away);
  else vi.spyOn(log, 'append').mockRejectedValueOnce(away);
  await expect(question.aNotifier()()).rejects.toBe(away);
  await expect.poll(question.recorded).toBe(which === 'log' ? 1 : 0);
  await question.aNotifier()();
  expect(await question.recorded()).toBe(1);
  expect(question.deliveries()).toBe(1);
});

test('what the broker did not let it end, a process takes up again at once', async () => {
  await using question = await aQuestion();
  const away = new BrokerUnavailableError('away');
  const notifier = question.aNotifier();
  question.world.mail.faults.add({ kind: 'reply', code: 421, stage: 'mail', times: 1 });
  vi.spyOn(question.journal, 'forget').mockRejectedValueOnce(away);
  await expect(notifier()).rejects.toBe(away);
  await expect
    .poll(() =>
      notifier().then(
        () => 'mailed',
        () => 'not yet',
      ),
    )
    .toBe('mailed'); // the pause of all mail is over
  expect(question.deliveries()).toBe(1);
});
