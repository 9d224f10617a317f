import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Broker, startBroker } from './broker.ts';
import { type IdentityProvider, startIdentityProvider } from './identity-provider.ts';
import { type LimaCharlieSandbox, startLimaCharlie } from './limacharlie.ts';
import { loadRules } from './load-rules.ts';
import { type Mail, startMail } from './mail.ts';
import { persisted } from './persisted.ts';
import { freePort, type ServiceName, SERVICES, type ServiceProcess, startService } from './service-process.ts';
import { type Slack, startSlack } from './slack.ts';
import { startWindowsMachine, type WindowsMachine } from './windows.ts';

/** The organisation and machine of the stand-in. */
const OID = '8cbe27f4-7c1e-4d62-9a55-138cd51389cd';
const SID = 'bb4b30af-5d0c-4c1b-8f3e-f014ada33345';
const CHANNEL = 'C0CORDON001';

export type SystemOptions = {
  /** Kept between runs; without it nothing is. */
  stateDir?: string | undefined;
  /** Real settings: where one of LIMACHARLIE_API_KEY, SLACK_BOT_TOKEN, SMTP_URL, OIDC_ISSUER or NATS_URL is among them, its stand-in is left out. */
  env?: Record<string, string | undefined>;
  /** Free ports where left out. */
  ports?: Partial<
    Record<'broker' | 'ingest' | 'approval' | 'limaCharlie' | 'slack' | 'identityProvider' | 'mail', number>
  > & { admin?: Record<ServiceName, number> };
  hostname?: string;
  /** Further machines that LimaCharlie knows. */
  sensors?: { sid: string; hostname: string }[];
  isolationLagMs?: number;
};

/** All of Cordon, on stand-ins for what needs an account. */
export interface System extends AsyncDisposable {
  readonly natsUrl: string;
  readonly ingestUrl: string;
  readonly approvalUrl: string;
  readonly webhook: { url: string; secret: string };
  /** What the stand-ins were started with, by the names of the settings: for tests that look for leaks. */
  readonly secrets: Record<string, string>;
  readonly services: Record<ServiceName, ServiceProcess>;
  readonly broker: Broker | undefined;
  readonly limaCharlie: LimaCharlieSandbox | undefined;
  readonly machine: WindowsMachine | undefined;
  readonly slack: Slack | undefined;
  readonly mail: Mail | undefined;
  readonly identityProvider: IdentityProvider | undefined;
  /** Resolves when every service is ready. */
  ready(): Promise<void>;
  /** Stops services first, then what they lean on. */
  close(): Promise<void>;
}

const Secrets = z.object({
  webhook: z.string(),
  apiKey: z.string(),
  slackToken: z.string(),
  slackSigning: z.string(),
  oidcClient: z.string(),
  session: z.string(),
  signing: z.string(),
});

/** Starts broker, stand-ins and the four services. Errors: a port in use, no nats-server to be had. */
export async function startSystem({
  stateDir,
  env = {},
  ports = {},
  hostname = 'win-srv-07',
  sensors = [],
  isolationLagMs,
}: SystemOptions): Promise<System> {
  const started: { close(): Promise<void> }[] = [];
  const closeAll = async (): Promise<void> => {
    for (const part of started.splice(0).toReversed()) await part.close();
  };
  const keep = <T>(part: T, close: (part: T) => Promise<void>): T => {
    started.push({ close: () => close(part) });
    return part;
  };
  const has = (name: string): boolean => Boolean(env[name] ?? env[`${name}_FILE`]);
  const file = (name: string): string | undefined => stateDir && join(stateDir, name);

  try {
    if (stateDir) await mkdir(join(stateDir, 'logs'), { recursive: true });
    const secrets = readSecrets(file('secrets.json'));
    const webhookSecret = env['LIMACHARLIE_WEBHOOK_SECRETS']?.split(',')[0] ?? secrets.webhook;
    const ingestPort = ports.ingest ?? (await freePort());
    const approvalPort = ports.approval ?? (await freePort());
    const ingestUrl = `http://127.0.0.1:${ingestPort}`;
    const approvalUrl = env['PUBLIC_URL'] ?? `http://127.0.0.1:${approvalPort}`;
    const webhook = { url: `${ingestUrl}/webhooks/limacharlie`, secret: webhookSecret };

    const broker = has('NATS_URL')
      ? undefined
      : keep(
          await startBroker({ port: ports.broker ?? -1, ...(stateDir ? { storeDir: join(stateDir, 'nats') } : {}) }),
          async (part) => part[Symbol.asyncDispose](),
        );
    const limaCharlie = has('LIMACHARLIE_API_KEY')
      ? undefined
      : keep(
          await startLimaCharlie({
            oid: OID,
            apiKey: secrets.apiKey,
            port: ports.limaCharlie ?? 0,
            sensors: [
              { sid: SID, hostname, internalIp: '10.0.0.17', externalIp: '203.0.113.17', tags: ['windows', 'server'] },
              ...sensors,
            ],
            webhook,
            ...(isolationLagMs === undefined ? {} : { isolationLagMs }),
            ...withState(file('limacharlie.json')),
          }),
          (part) => part.close(),
        );
    const machine =
      limaCharlie &&
      keep(startWindowsMachine({ hostname, sid: SID, limaCharlie, rules: loadRules() }), async (part) => part.close());
    const slack = has('SLACK_BOT_TOKEN')
      ? undefined
      : keep(
          await startSlack({
            port: ports.slack ?? 0,
            token: secrets.slackToken,
            signingSecret: secrets.slackSigning,
            channel: CHANNEL,
            channelName: 'incident-response',
            ...withState(file('slack.json')),
          }),
          (part) => part.close(),
        );
    slack?.setInteractionsUrl(`http://127.0.0.1:${approvalPort}/slack/interactions`);
    const mail = has('SMTP_URL')
      ? undefined
      : keep(await startMail({ port: ports.mail ?? 0, ...withState(file('mail.json')) }), (part) => part.close());
    const identityProvider = has('OIDC_ISSUER')
      ? undefined
      : keep(
          await startIdentityProvider({
            port: ports.identityProvider ?? 0,
            clientId: 'cordon',
            clientSecret: secrets.oidcClient,
            redirectUris: [`${approvalUrl}/callback`],
          }),
          (part) => part.close(),
        );

    const natsUrl = broker?.url ?? env['NATS_URL'] ?? '';
    const standIns: Record<string, string> = {
      ...(broker && { NATS_URL: broker.url }),
      ...(limaCharlie && {
        LIMACHARLIE_OID: OID,
        LIMACHARLIE_API_KEY: secrets.apiKey,
        LIMACHARLIE_API_URL: limaCharlie.apiUrl,
        LIMACHARLIE_JWT_URL: limaCharlie.jwtUrl,
        OFFLINE_POLL_SECONDS: '2',
        CONFIRM_POLL_SECONDS: '1',
      }),
      ...(slack && {
        SLACK_BOT_TOKEN: secrets.slackToken,
        SLACK_SIGNING_SECRET: secrets.slackSigning,
        SLACK_CHANNEL: CHANNEL,
        SLACK_API_URL: slack.apiUrl,
      }),
      ...(mail && { SMTP_URL: mail.url, EMAIL_FROM: 'cordon@cordon.example', EMAIL_TO: 'soc@cordon.example' }),
      ...(identityProvider && {
        OIDC_ISSUER: identityProvider.issuer,
        OIDC_CLIENT_ID: 'cordon',
        OIDC_CLIENT_SECRET: secrets.oidcClient,
        OIDC_APPROVER_GROUP: 'cordon-approvers',
        SIGN_INS_PER_MINUTE: '60', // everybody here has one address
        OIDC_VIEWER_GROUP: 'cordon-viewers',
      }),
      ...(!has('LIMACHARLIE_WEBHOOK_SECRETS') && { LIMACHARLIE_WEBHOOK_SECRETS: secrets.webhook }),
      ...(!has('SESSION_SECRET') && { SESSION_SECRET: secrets.session }),
      ...(!has('DECISION_SIGNING_KEY') && {
        DECISION_SIGNING_KEY: secrets.signing,
        DECISION_PUBLIC_KEYS: publicHalfOf(secrets.signing),
      }),
      PUBLIC_URL: approvalUrl,
    };
    const serviceEnv = (name: ServiceName): Record<string, string> => {
      const port = { ingest: ingestPort, approval: approvalPort, 'isolation-executor': undefined, notifier: undefined }[
        name
      ];
      const given = Object.entries(env).flatMap(([key, value]) =>
        value === undefined || isOurs(key) ? [] : [[key, value]],
      );
      const adminPort = ports.admin?.[name];
      return {
        ...standIns,
        ...Object.fromEntries(given),
        ...(port !== undefined && { PORT: String(port) }),
        ...(adminPort !== undefined && { ADMIN_PORT: String(adminPort) }),
      };
    };
    const service = async (name: ServiceName): Promise<ServiceProcess> => {
      const logFile = file(`logs/${name}.log`);
      return startService({ name, env: serviceEnv(name), ...(logFile && { logFile }) });
    };
    const [ingest, approval, executor, notifier] = await Promise.all([
      service('ingest'),
      service('approval'),
      service('isolation-executor'),
      service('notifier'),
    ]);
    const services = { ingest, approval, 'isolation-executor': executor, notifier };
    started.push({
      close: async () => void (await Promise.all(SERVICES.map((name) => services[name][Symbol.asyncDispose]()))),
    });

    return {
      natsUrl,
      ingestUrl,
      approvalUrl,
      webhook,
      secrets: standIns,
      services,
      broker,
      limaCharlie,
      machine,
      slack,
      mail,
      identityProvider,
      ready: async () => void (await Promise.all(SERVICES.map((name) => services[name].ready()))),
      close: closeAll,
      [Symbol.asyncDispose]: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** What is decided here for each service is not taken from the environment of whoever starts the system. */
function isOurs(name: string): boolean {
  return ['PATH', 'PORT', 'ADMIN_PORT', 'PUBLIC_URL'].includes(name);
}

function withState(stateFile: string | undefined): { stateFile?: string } {
  return stateFile ? { stateFile } : {};
}

function readSecrets(path: string | undefined): z.infer<typeof Secrets> {
  const fresh = {
    webhook: random(),
    apiKey: random(),
    slackToken: `xoxb-${random()}`,
    slackSigning: random(),
    oidcClient: random(),
    session: random(),
    signing: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  };
  const kept = persisted<object>(path, fresh);
  kept.value = { ...fresh, ...kept.value }; // an older version kept fewer
  kept.save();
  return Secrets.parse(kept.value);
}

function publicHalfOf(signingKey: string): string {
  const key = createPrivateKey({ key: Buffer.from(signingKey, 'base64'), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
}

function random(): string {
  return randomBytes(32).toString('base64url');
}
