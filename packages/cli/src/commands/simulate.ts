import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sha256 } from '@cordon/contracts';
import { incidentIdOf } from '@cordon/incident';
import { settings } from '@cordon/ingest/src/config.ts';
import { normalize } from '@cordon/limacharlie';
import { ConfigurationError, loadConfig } from '@cordon/service';
import { z } from 'zod';
import { type Command, CommandError, type Context, EXIT, parse } from '../command.ts';
import { facts } from '../table.ts';

/** What `npm start` signs with, where nothing else is configured. */
const SANDBOX_SECRETS = new URL('../../../../.cordon/state/secrets.json', import.meta.url);
const WINDOWS = 268_435_456;

export const simulate: Command = {
  name: 'simulate',
  summary: 'sends a signed sample detection to a running ingest',
  help: `
  --url URL        ingest (http://127.0.0.1:8080)
  --host NAME      the machine it names (cordon-simulation)
  --sensor ID      its sensor id (a new one: LimaCharlie does not know it, so nothing can be isolated)
  --sandbox        sign with the secret of \`npm start\` instead of LIMACHARLIE_WEBHOOK_SECRETS

It goes all the way: people are asked about it. Name a real sensor only where its isolation would do no harm.

  cordon simulate --sandbox
  cordon simulate --url https://ingest.example.com --env-file .env`,
  async run(args, context) {
    const { values } = parse(args, {
      url: { type: 'string', default: 'http://127.0.0.1:8080' },
      host: { type: 'string', default: 'cordon-simulation' },
      sensor: { type: 'string' },
      sandbox: { type: 'boolean' },
    });
    if (!URL.canParse(values.url)) throw new CommandError(EXIT.usage, `--url takes the address of ingest.`);
    const url = new URL('/webhooks/limacharlie', values.url);
    const record = sample(values.host, values.sensor, context.env['LIMACHARLIE_OID']);
    const body = JSON.stringify(record);
    const secret = values.sandbox ? sandboxSecret() : configuredSecret(context.env);
    const raw = { media_type: 'application/json', sha256: sha256(body), size: Buffer.byteLength(body), body };
    const normalized = normalize(record, raw, new Date());
    if ('problem' in normalized)
      throw new CommandError(EXIT.usage, `Ingest would not take that: ${normalized.problem}`);

    const { status, said } = await post(url, body, createHmac('sha256', secret).update(body).digest('hex'));
    const sent = {
      answer: status,
      says: said,
      detection: record.detect_id,
      endpoint: record.routing.sid,
      incident: incidentIdOf(normalized.detection),
    };
    if (context.json) context.printJson(sent);
    else context.out(facts(Object.entries(sent)));
    return status === 202 ? EXIT.ok : EXIT.wrong;
  },
};

function sample(hostname: string, sensor: string | undefined, oid: string | undefined) {
  const path = 'C:\\Users\\Public\\LaZagne.exe';
  return {
    cat: 'Cordon simulation - HackTool - LaZagne',
    detect: {
      event: { COMMAND_LINE: `"${path}" all`, FILE_PATH: path, PROCESS_ID: 4242, USER_NAME: 'SIMULATED\\nobody' },
    },
    detect_id: randomUUID(),
    detect_mtd: { level: 'high', description: 'Sent by `cordon simulate`: nothing happened on any machine.' },
    gen_time: Date.now(),
    routing: {
      oid: oid || randomUUID(),
      sid: sensor ?? randomUUID(),
      hostname,
      plat: WINDOWS,
      arch: 2,
      event_type: 'NEW_PROCESS',
    },
  };
}

async function post(url: URL, body: string, signature: string): Promise<{ status: number; said: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'lc-signature': signature },
      body,
      signal: AbortSignal.timeout(15_000),
    });
    const answer = z.object({ message: z.string() }).safeParse(await response.json().catch(() => undefined));
    return { status: response.status, said: answer.data?.message ?? 'That was not ingest: check --url.' };
  } catch (error) {
    throw new CommandError(EXIT.unreachable, `No ingest answers at ${url.origin}: start it, or give --url.`, {
      cause: error,
    });
  }
}

function configuredSecret(env: Context['env']): string {
  const { LIMACHARLIE_WEBHOOK_SECRETS } = settings;
  try {
    const [secret] = loadConfig({ LIMACHARLIE_WEBHOOK_SECRETS }, env).LIMACHARLIE_WEBHOOK_SECRETS;
    if (secret) return secret;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
  }
  throw new CommandError(
    EXIT.usage,
    'LIMACHARLIE_WEBHOOK_SECRETS is not set: set it, or say --sandbox for `npm start`.',
  );
}

function sandboxSecret(): string {
  try {
    return z.object({ webhook: z.string() }).parse(JSON.parse(readFileSync(SANDBOX_SECRETS, 'utf8'))).webhook;
  } catch (error) {
    throw new CommandError(EXIT.notFound, 'There is no sandbox yet: `npm start` makes one.', { cause: error });
  }
}
