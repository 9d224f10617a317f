import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectBus } from '@cordon/bus';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { startBroker, startMail, startService, startSlack } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { test } from 'vitest';

/** A question that one channel cannot tell reaches its approvers through the other, within half a minute. */

const WITHIN_MS = 30_000;
const SLOW = { timeout: 60_000, interval: 100 };
const POLICY = `
tiers:
  - name: everything
    contacts: { mail: [duty@example.com], slack: [U0DUTY] }
`;

/** Approval and the notifier as they run, between a broker and people. */
async function start() {
  await using parts = new AsyncDisposableStack();
  const broker = parts.use(await startBroker());
  const slack = parts.use(await startSlack({ token: 'xoxb-1', channel: 'C0ALERTS1' }));
  const mail = parts.use(await startMail());
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'cordon-policy-')), (path) => rm(path, { recursive: true }));
  const policyFile = join(folder, 'policy.yaml');
  await writeFile(policyFile, POLICY);
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' });
  const common = { NATS_URL: broker.url, PUBLIC_URL: 'http://127.0.0.1:8081' };
  const services = await Promise.all([
    startService({
      name: 'approval',
      env: {
        ...common,
        PORT: '0',
        OIDC_ISSUER: 'http://127.0.0.1:1',
        OIDC_CLIENT_ID: 'cordon',
        OIDC_CLIENT_SECRET: 'secret',
        OIDC_APPROVER_GROUP: 'approvers',
        OIDC_VIEWER_GROUP: 'viewers',
        SESSION_SECRET: 'x'.repeat(32),
        DECISION_SIGNING_KEY: key.toString('base64'),
        POLICY_FILE: policyFile,
      },
    }),
    startService({
      name: 'notifier',
      env: {
        ...common,
        SLACK_BOT_TOKEN: 'xoxb-1',
        SLACK_CHANNEL: 'C0ALERTS1',
        SLACK_API_URL: slack.apiUrl,
        SMTP_URL: mail.url,
        EMAIL_FROM: 'cordon@example.com',
        EMAIL_TO: 'soc@example.com',
      },
    }),
  ]);
  for (const service of services) {
    parts.use(service);
    await service.ready(60_000);
  }
  const log = createLogger('test', 'silent');
  const bus = parts.use(await connectBus({ url: broker.url, name: 'test', log }));
  const all = parts.move();

  return {
    slack,
    mail,
    /** A detection, and a way to look at its incident. */
    async detect() {
      const raised = aDetectionRaised(aDetection());
      await bus.log.append(raised);
      return async () => (await bus.log.load(raised)).state.incident;
    },
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  };
}

test.concurrent.for(['down', 'hang', 'server-error'] as const)('Slack %s: asked by mail', async (kind, { expect }) => {
  await using world = await start();
  world.slack.faults.add({ kind });
  const incident = await world.detect();
  const again = () => world.mail.mails().find(({ recipients }) => recipients.join() === 'duty@example.com');
  await expect.poll(() => again()?.subject, SLOW).toMatch(/^\[Slack not reached\] /);
  expect(delayMs(await incident(), again()?.receivedAt)).toBeLessThan(WITHIN_MS);
  expect(world.slack.messages()).toEqual([]);
});

const SMTP_FAULTS = [
  { kind: 'down' },
  { kind: 'hang', stage: 'mail' },
  { kind: 'reply', code: 451, stage: 'mail' },
] as const;

test.concurrent.for(SMTP_FAULTS)('SMTP $kind: asked in Slack', async (fault, { expect }) => {
  await using world = await start();
  world.mail.faults.add(fault);
  const incident = await world.detect();
  const again = () =>
    world.slack.messages()[0]?.replies.find(({ blocks }) => JSON.stringify(blocks).includes('"user_id":"U0DUTY"'));
  await expect.poll(() => again()?.text, SLOW).toContain('Mail did not take the question in time');
  expect(delayMs(await incident(), again()?.at)).toBeLessThan(WITHIN_MS);
  expect(world.mail.mails()).toEqual([]);
});

test.concurrent('both channels work: nobody is asked twice', async ({ expect }) => {
  await using world = await start();
  const incident = await world.detect();
  const told = async () => (await incident())?.sent.filter(({ occasion }) => occasion === 'incident');
  await expect.poll(async () => (await told())?.length, SLOW).toBe(2);
  // A second machine whose question nobody was told of by mail: when its time has come, so has that of the first.
  world.mail.faults.add({ kind: 'down' });
  const later = await world.detect();
  await expect.poll(async () => (await later())?.history.at(-1)?.type, SLOW).toBe('notification.overdue');
  expect((await incident())?.history.map(({ type }) => type)).toEqual(['detection.raised', 'approval.requested']);
  expect(world.mail.mails()).toHaveLength(1);
});

function delayMs(incident: { question?: { askedAt: string } } | undefined, at = ''): number {
  return Date.parse(at) - Date.parse(incident?.question?.askedAt ?? '');
}
