import { randomUUID } from 'node:crypto';
import { CONSUMERS, Quarantined } from '@cordon/bus';
import { sha256 } from '@cordon/contracts';
import { createLogger } from '@cordon/service';
import { expect, test, vi } from 'vitest';
import { tellOfDeadLetters, tellOfQuarantine } from './operators.ts';
import { startWorld } from './testing.ts';

const SLOW = { timeout: 20_000, interval: 50 };
const context = { log: createLogger('notifier', 'silent'), redelivered: false };
const letter = (seq: number) => ({
  seq,
  stream: 'CORDON_EVENTS',
  consumer: 'notifier-slack',
  subject: 'cordon.events.x',
  attempts: 1,
  reason: '<!channel> hostile',
  headers: {},
  payload: '',
});

test('tells at once, then at most once per minute how many there were, never what', async () => {
  vi.useFakeTimers({ now: new Date('2031-01-01T00:00:00Z') });
  try {
    const told: string[] = [];
    const handle = tellOfDeadLetters(async (sentence) => void told.push(sentence));
    await handle(letter(1), context);
    expect(told).toHaveLength(1);
    await expect(handle(letter(2), context)).rejects.toMatchObject({ name: 'RetryLaterError' });
    for (let seq = 3; seq < 50; seq++) await handle(letter(seq), context);
    expect(told).toHaveLength(1);
    vi.advanceTimersByTime(61_000);
    await handle(letter(2), context);
    expect(told).toHaveLength(2);
    expect(told[1]).toContain('gave up on 48 messages');
    expect(told[1]).toContain('Since 2031-01-01T00:00:00.000Z');
    expect(told.join('')).not.toContain('hostile');
  } finally {
    vi.useRealTimers();
  }
});

test('where telling did not work, the message stays to be told', async () => {
  let works = false;
  const told: string[] = [];
  const handle = tellOfQuarantine(async (sentence) => {
    if (!works) throw new Error('not now');
    told.push(sentence);
  });
  const record = { problem: 'x', receivedAt: new Date().toISOString(), mediaType: 'a/b', sha256: 'x', body: '' };
  await expect(handle({ ...record, seq: 1 }, context)).rejects.toThrow('not now');
  works = true;
  await handle({ ...record, seq: 1 }, context);
  expect(told).toHaveLength(1);
});

test.each([[true], [false]])(
  'operators hear of a quarantined record, by mail where Slack is off (Slack on: %s)',
  async (slackOn) => {
    await using world = await startWorld(slackOn ? {} : { slack: false });
    const tell = world.operators();
    if (!tell) throw new Error('nobody to tell');
    const consumption = await world.bus.consumeAside(CONSUMERS.quarantined, Quarantined, tellOfQuarantine(tell));
    await world.bus.quarantine({
      problem: 'no schema fits',
      receivedAt: new Date().toISOString(),
      mediaType: 'application/json',
      sha256: sha256(randomUUID()),
      body: Buffer.from('<!channel> secret payload').toString('base64'),
    });
    const read = (): string[] =>
      slackOn ? world.slack.messages().map(({ text }) => text) : world.mail.mails().map(({ text }) => text);
    await expect.poll(read, SLOW).toHaveLength(1);
    expect(read()[0]).toContain('could not understand a record from LimaCharlie');
    expect(read()[0]).not.toContain('secret payload');
    await consumption.stop();
  },
);
