import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, SERVICES, startBroker, startService, startSystem } from '@cordon/sandbox';
import { expect, test } from 'vitest';
import { eventually } from './person.ts';

/** The life of the processes: alone, before the broker, without it, and to the end. */

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const SETTINGS: Record<(typeof SERVICES)[number], Record<string, string>> = {
  ingest: { PORT: '0', LIMACHARLIE_WEBHOOK_SECRETS: 'a-secret' },
  approval: {
    PORT: '0',
    PUBLIC_URL: 'http://127.0.0.1:8081',
    OIDC_ISSUER: 'http://127.0.0.1:1', // away: the service starts all the same
    OIDC_CLIENT_ID: 'cordon',
    OIDC_CLIENT_SECRET: 'secret',
    OIDC_APPROVER_GROUP: 'a',
    OIDC_VIEWER_GROUP: 'v',
    SESSION_SECRET: 'x'.repeat(32),
    DECISION_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  },
  'isolation-executor': {
    LIMACHARLIE_OID: 'oid',
    DECISION_PUBLIC_KEYS: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    LIMACHARLIE_API_KEY: 'key',
    LIMACHARLIE_API_URL: 'http://127.0.0.1:1',
    LIMACHARLIE_JWT_URL: 'http://127.0.0.1:1',
  },
  notifier: {
    PUBLIC_URL: 'http://127.0.0.1:8081',
    SLACK_BOT_TOKEN: 'xoxb-1',
    SLACK_CHANNEL: 'C1',
    SLACK_API_URL: 'http://127.0.0.1:1/api/',
    SMTP_URL: 'smtp://127.0.0.1:1',
    EMAIL_FROM: 'a@example.com',
    EMAIL_TO: 'b@example.com',
  },
};

test.each(SERVICES)('%s waits for the broker, works, survives its restart, and stops in order', async (name) => {
  const port = await freePort();
  await using service = await startService({ name, env: { ...SETTINGS[name], NATS_URL: `nats://127.0.0.1:${port}` } });
  const ready = async (): Promise<string> =>
    (await fetch(`${service.adminUrl}/readyz`).catch(() => undefined))?.text() ?? '';
  await eventually(async () => ((await ready()).includes('no connection to the broker') ? true : undefined), 'waiting');
  expect((await fetch(`${service.adminUrl}/livez`)).status).toBe(200);

  await using broker = await startBroker({ port });
  await service.ready();
  await broker.kill();
  await eventually(
    async () => ((await ready()).includes('no connection to the broker') ? true : undefined),
    'noticing',
  );
  await broker.restart();
  await service.ready();

  const ended = new Promise<number | null>((resolve) => service.onExit((code) => resolve(code)));
  await service.stop();
  expect(await ended).toBe(0);
});

test.each(SERVICES)('%s names every missing setting at once and exits with 1', async (name) => {
  const service = await startService({ name, env: { NATS_URL: 'http://wrong' } });
  await eventually(() => (service.pid === undefined ? true : undefined), 'the end');
  const output = service.output();
  expect(output).toContain('bad configuration');
  expect(output).toContain('NATS_URL: must be nats://');
  for (const setting of [
    'LIMACHARLIE_WEBHOOK_SECRETS',
    'OIDC_ISSUER',
    'SESSION_SECRET',
    'LIMACHARLIE_API_KEY',
    'PUBLIC_URL',
  ]) {
    const isOwn = {
      ingest: /WEBHOOK/,
      approval: /OIDC|SESSION|PUBLIC/,
      'isolation-executor': /API_KEY/,
      notifier: /PUBLIC/,
    }[name].test(setting);
    expect(output.includes(`${setting}: is required`)).toBe(isOwn);
  }
});

test.each(['approval', 'isolation-executor'] as const)(
  '%s names every fault of its policy and exits with 1',
  async (name) => {
    await using broker = await startBroker();
    const policy = join(await mkdtemp(join(tmpdir(), 'cordon-policy-')), 'policy.yaml');
    await writeFile(policy, 'tiers:\n  - name: all\n    quorum: 99\n    mach: []\n');
    const env = { ...SETTINGS[name], NATS_URL: broker.url, POLICY_FILE: policy };
    const service = await startService({ name, env });
    await eventually(() => (service.pid === undefined ? true : undefined), 'the end');
    expect(service.output()).toContain(`${name}: bad configuration`);
    expect(service.output()).toContain('policy.yaml:3:13: tiers[0].quorum: must be at most 10 persons');
    expect(service.output()).toContain('policy.yaml:4:5: tiers[0].mach: unknown key');
  },
);

test('each service idles below 120 MB resident', async () => {
  await using system = await startSystem({});
  await system.ready();
  // The first start on a machine compiles, which costs memory once; every later one finds that done.
  for (const service of Object.values(system.services)) {
    await service.stop();
    await service.start();
  }
  await system.ready();
  for (const service of Object.values(system.services)) {
    const metrics = await (await fetch(`${service.adminUrl}/metrics`)).text();
    const bytes = Number(/^process_resident_memory_bytes\{[^}]*\} (\S+)$/m.exec(metrics)?.[1]);
    expect(bytes, service.name).toBeLessThan(120 * 1024 * 1024);
  }
});
