import { type ServiceProcess, startBroker, startMail, startService, startSlack } from '@cordon/sandbox';
import { connectBus } from '@cordon/bus';
import { createLogger } from '@cordon/service';
import { expect, test } from 'vitest';
import { aMachine, PUBLIC_URL, SLACK_CHANNEL, SLACK_TOKEN } from './testing.ts';

// A killed process keeps its messages for 30 s.
const SLOW = { timeout: 50_000, interval: 50 };

test('the process tells, counts, stops in order, and goes on where it was killed', async () => {
  await using broker = await startBroker();
  await using slack = await startSlack({ token: SLACK_TOKEN, channel: SLACK_CHANNEL });
  await using mail = await startMail();
  await using service: ServiceProcess = await startService({
    name: 'notifier',
    env: {
      NATS_URL: broker.url,
      PUBLIC_URL,
      SLACK_BOT_TOKEN: SLACK_TOKEN,
      SLACK_CHANNEL,
      SLACK_API_URL: slack.apiUrl,
      SMTP_URL: mail.url,
      EMAIL_FROM: 'Cordon <cordon@cordon.example.com>',
      EMAIL_TO: 'soc@example.com',
    },
  });
  await service.start();
  await service.ready();
  await using bus = await connectBus({ url: broker.url, name: 'test', log: createLogger('test', 'silent') });
  const machine = aMachine();
  await bus.log.append(machine.detected());
  await expect.poll(() => slack.messages().length, SLOW).toBe(1);
  await service.kill();
  await bus.log.append(machine.asked());
  await bus.log.append(machine.decided('leave', 'exercise'));
  await service.start();
  await service.ready();
  await expect.poll(() => slack.messages()[0]?.text, SLOW).toContain('Machine not isolated.');
  await expect.poll(() => mail.mails().length, SLOW).toBe(2);
  const metrics = async () => (await fetch(`${service.adminUrl}/metrics`)).text();
  await expect.poll(metrics).toMatch(/cordon_notifications_total\{channel="email",outcome="sent".*\} 2/);
  expect(await metrics()).toContain('cordon_notification_latency_seconds_bucket');
  expect(service.output()).not.toContain(SLACK_TOKEN);
  const ended = new Promise((resolve) => service.onExit((code) => resolve(code)));
  await service.stop();
  expect(await ended).toBe(0);
  expect(slack.messages()).toHaveLength(1);
}, 120_000);

test('names every bad setting and ends', async () => {
  await using service = await startService({ name: 'notifier', env: { PUBLIC_URL: 'ftp://x', EMAIL_TO: 'a@b, c d' } });
  const ended = new Promise((resolve) => service.onExit((code) => resolve(code)));
  await service.start();
  expect(await ended).toBe(1);
  expect(service.output()).toContain('PUBLIC_URL');
  expect(service.output()).toContain('EMAIL_TO');
});
