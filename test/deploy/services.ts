import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { commonSettings, loadConfig } from '@cordon/service';
import { settings as approval } from '../../services/approval/src/config.ts';
import { settings as ingest } from '../../services/ingest/src/config.ts';
import { settings as executor } from '../../services/isolation-executor/src/config.ts';
import { settings as notifier } from '../../services/notifier/src/config.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const readText = (file: string): string => readFileSync(`${ROOT}${file}`, 'utf8');

const describe = <Own extends object>(name: string, own: Own) => {
  const source = readdirSync(`${ROOT}services/${name}/src`).map((file) => readText(`services/${name}/src/${file}`));
  const adminPort = Number(/\badminPort: (\d+)/.exec(source.join('\n'))?.[1]);
  if (Number.isNaN(adminPort)) throw new Error(`${name} tells nowhere what its adminPort is`);
  return { name, adminPort, settings: { ...commonSettings(adminPort), ...own } };
};

/** What is deployed, with every setting that it reads. */
export const SERVICES = [
  { ...describe('ingest', ingest), port: loadConfig({ PORT: ingest.PORT }, {}).PORT },
  { ...describe('approval', approval), port: loadConfig({ PORT: approval.PORT }, {}).PORT },
  { ...describe('isolation-executor', executor), port: undefined },
  { ...describe('notifier', notifier), port: undefined },
];
export type Service = (typeof SERVICES)[number];

const { privateKey, publicKey } = generateKeyPairSync('ed25519');

/** For tests only: a value for every secret that a service would accept. */
export const SECRETS: Record<string, string> = {
  LIMACHARLIE_WEBHOOK_SECRETS: 'old-webhook-secret,new-webhook-secret',
  OIDC_CLIENT_SECRET: 'client-secret',
  SESSION_SECRET: 'session-secret-of-at-least-32-characters',
  DECISION_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  LIMACHARLIE_API_KEY: '00000000-0000-0000-0000-000000000000',
  SLACK_BOT_TOKEN: 'bot-token',
  SLACK_SIGNING_SECRET: 'slack-signing-secret',
  SLACK_APP_TOKEN: 'xapp-app-token',
  SMTP_URL: 'smtp://user:password@mail.example.com:587',
};

/** What is no secret, and yet nobody can give an example of: it belongs to a secret. */
export const BELONGING: Record<string, string> = {
  DECISION_PUBLIC_KEYS: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
};

/** `.env.example`, filled in where it has to be, but for the secrets. */
export const EXAMPLE: Record<string, string> = {
  ...Object.fromEntries(Object.entries(parseEnv(readText('.env.example'))).map(([name, value]) => [name, value ?? ''])),
  ...BELONGING,
};

/** The setting that a variable gives a service, by itself or as a file. */
export const settingIn = ({ settings }: Service, name: string): string =>
  name in settings ? name : name.replace(/_FILE$/, '');

/** What is wrong with the variables a service would be given: unknown names, and all that it would complain of. */
export function faultsOfEnvironment(service: Service, env: Record<string, string>): string[] {
  const unknown = Object.keys(env).filter((name) => !(settingIn(service, name) in service.settings));
  const faults = unknown.map((name) => `${service.name}: ${name} is no setting`);
  try {
    loadConfig(service.settings, env);
  } catch (error) {
    faults.push(`${service.name}: ${error instanceof Error ? error.message.trim() : String(error)}`);
  }
  return faults;
}
