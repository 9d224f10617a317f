import { connectOperator, type Operator } from '@cordon/bus';
import { commonSettings, ConfigurationError, loadConfig } from '@cordon/service';
import { CommandError, type Context, EXIT } from './command.ts';

/** The broker's address without what is secret in it. */
export function addressOf(natsUrl: string): string {
  return natsUrl
    .split(',')
    .map((url) => (URL.canParse(url) ? `${new URL(url).protocol}//${new URL(url).host}` : 'an address'))
    .join(', ');
}

/** NATS_URL and NATS_REPLICAS. Throws `CommandError` where they are wrong. */
export function brokerSettings(env: Context['env']): { url: string; replicas: number | undefined } {
  const { NATS_URL, NATS_REPLICAS } = commonSettings(0);
  try {
    const config = loadConfig({ NATS_URL, NATS_REPLICAS }, env);
    return { url: config.NATS_URL, replicas: config.NATS_REPLICAS };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CommandError(EXIT.usage, `bad configuration\n${error.message}`, { cause: error });
  }
}

/** Connects to the broker. Throws `CommandError` with what to do where there is none. */
export async function connectBroker({ env }: Context): Promise<Operator> {
  const { url } = brokerSettings(env);
  try {
    return await connectOperator({ url, name: 'cordon-cli' });
  } catch (error) {
    throw new CommandError(EXIT.unreachable, `${whyNot(error, url)}.`, { cause: error });
  }
}

/** Why there is no connection, and what to do, without the full stop. */
export function whyNot(error: unknown, url: string): string {
  const name = error instanceof Error ? error.name : '';
  const at = addressOf(url);
  if (/Authorization|UserAuthentication|PermissionViolation/.test(name)) {
    return `The broker at ${at} refused the login: check user, password or certificate in NATS_URL`;
  }
  if (name === 'JetStreamNotEnabled')
    return `The broker at ${at} runs without JetStream: start it with jetstream enabled`;
  return `No broker answers at ${at}: start it, or set NATS_URL to where it listens`;
}
