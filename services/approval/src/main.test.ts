import { type Bus, connectBus } from '@cordon/bus';
import { incidentIdOf } from '@cordon/incident';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import {
  type Broker,
  freePort,
  type IdentityProvider,
  type ServiceProcess,
  type Slack,
  startBroker,
  startIdentityProvider,
  startService,
  startSlack,
} from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Person } from '../../../test/e2e/person.ts';
import { CLIENT_SECRET, SECRET, SIGNING_KEY } from './page-lab.ts';
import { SESSION_COOKIE } from './session-store.ts';

const SLACK = { token: 'xoxb-of-the-tests', appToken: 'xapp-of-the-tests' };

let broker: Broker;
let bus: Bus;
let service: ServiceProcess;
let provider: IdentityProvider | undefined;
let slack: Slack;
let url: string;
let env: Record<string, string>;
let startProvider: () => Promise<IdentityProvider>;

beforeAll(async () => {
  const [port, providerPort] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${port}`;
  broker = await startBroker();
  slack = await startSlack({ ...SLACK, channel: 'C0' });
  bus = await connectBus({ url: broker.url, name: 'test', log: createLogger('test', 'silent') });
  env = {
    NATS_URL: broker.url,
    PORT: String(port),
    PUBLIC_URL: url,
    OIDC_ISSUER: `http://127.0.0.1:${providerPort}`,
    OIDC_CLIENT_ID: 'cordon',
    OIDC_CLIENT_SECRET: CLIENT_SECRET,
    OIDC_APPROVER_GROUP: 'cordon-approvers',
    OIDC_VIEWER_GROUP: 'cordon-viewers',
    SESSION_SECRET: SECRET,
    DECISION_SIGNING_KEY: SIGNING_KEY,
    SLACK_BOT_TOKEN: SLACK.token,
    SLACK_APP_TOKEN: SLACK.appToken,
    SLACK_API_URL: slack.apiUrl,
    LOG_LEVEL: 'trace',
  };
  startProvider = () =>
    startIdentityProvider({
      port: providerPort,
      clientId: 'cordon',
      clientSecret: CLIENT_SECRET,
      redirectUris: [`${url}/callback`],
    });
  service = await startService({ name: 'approval', env }); // there is no provider yet
  await service.ready();
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await provider?.close();
  await slack?.close();
  await bus?.close();
  await broker?.[Symbol.asyncDispose]();
});

async function detect(): Promise<string> {
  const detection = aDetection();
  await bus.log.append(aDetectionRaised(detection));
  const id = incidentIdOf(detection);
  await expect.poll(async () => (await bus.log.findIncident(id))?.status).toBe('asked');
  return id;
}

test('starts without the provider, and lets people in as soon as it is there', async () => {
  expect((await new Person(url).get('/')).status).toBe(503);
  provider = await startProvider();
  const alice = new Person(url);
  const id = await detect();
  await expect.poll(async () => (await alice.signIn('Alice')).body).toContain(`/approvals/${id}`);
});

test('a restart and a crash keep the session, the form in hand and the open question', async () => {
  const id = await detect();
  const alice = new Person(url);
  const page = await alice.signIn('Alice', `/approvals/${id}`);
  const cookie = alice.cookie(SESSION_COOKIE);
  const { action, fields } = page.form(/review/);
  await service.stop();
  await service.start();
  await service.ready();
  const confirmation = await alice.post(action, { ...fields, choice: 'leave', reason: 'the test says so' });
  expect(confirmation.status).toBe(200);
  await service.kill();
  await service.start();
  await service.ready();
  const { action: decide, fields: proof } = confirmation.form(/decide/);
  expect((await alice.post(decide, proof)).text).toContain('Machine not isolated.');
  expect(alice.cookie(SESSION_COOKIE)?.split('.')[0]).toBe(cookie?.split('.')[0]);
});

test('a stop takes no longer for a page that is watched, and exits in order', async () => {
  const alice = new Person(url);
  await alice.signIn('Alice');
  const headers = { cookie: `${SESSION_COOKIE}=${alice.cookie(SESSION_COOKIE)}` };
  const stream = await fetch(`${url}/events`, { headers });
  const read = stream.text();
  const exit = Promise.withResolvers<number | null>();
  service.onExit((code) => exit.resolve(code));
  const began = Date.now();
  await service.stop();
  expect(await exit.promise).toBe(0);
  expect(Date.now() - began).toBeLessThan(5000);
  expect(await read).toContain('event: changed');
  await service.start();
  await service.ready();
});

test('a question that nobody answers ends at its deadline, even if it came while the service was down', async () => {
  await service.stop();
  const detection = aDetection();
  const brief = await startService({ name: 'approval', env: { ...env, APPROVAL_EXPIRY_MINUTES: '0.05' } });
  await brief.ready();
  await bus.log.append(aDetectionRaised(detection));
  const id = incidentIdOf(detection);
  await expect.poll(async () => (await bus.log.findIncident(id))?.status).toBe('asked');
  await brief.kill();
  await brief[Symbol.asyncDispose]();
  await service.start();
  await service.ready();
  await expect.poll(async () => (await bus.log.findIncident(id))?.status).toBe('expired');
});

test('its output holds no cookie and no secret', () => {
  expect(service.output()).toContain('decided');
  for (const secret of [SECRET, CLIENT_SECRET, SESSION_COOKIE, 'code=', 'state='])
    expect(service.output()).not.toContain(secret);
});

test('bad settings are all named, and no value is shown', async () => {
  const bad = await startService({
    name: 'approval',
    env: { ...env, SESSION_SECRET: 'too-short-secret', PUBLIC_URL: 'http://cordon.example.com', OIDC_CLIENT_ID: '' },
  });
  await expect(bad.ready()).rejects.toThrow(/SESSION_SECRET: needs at least 32 characters/);
  expect(bad.output()).toContain('PUBLIC_URL: must be https');
  expect(bad.output()).toContain('OIDC_CLIENT_ID: is required');
  expect(bad.output()).not.toContain('too-short-secret');
});

test('listens to Slack over a socket for as long as it runs, and tells nobody its tokens', async () => {
  await expect.poll(() => slack.sockets()).toBe(1);
  await service.stop();
  await expect.poll(() => slack.sockets()).toBe(0);
  await service.start();
  await service.ready();
  await expect.poll(() => slack.sockets()).toBe(1);
  for (const secret of Object.values(SLACK)) expect(service.output()).not.toContain(secret);
});
