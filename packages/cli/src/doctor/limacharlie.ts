import { settings as ingest } from '@cordon/ingest/src/config.ts';
import { settings } from '@cordon/isolation-executor/src/config.ts';
import { EdrDenied, EdrRateLimited, EdrUnavailable } from '@cordon/limacharlie';
import { limaCharlie } from '@cordon/limacharlie/client';
import { type Env, type Finding, ok, PATIENCE_MS, settingsOf, wrong } from './finding.ts';

const NEEDED = ['sensor.get', 'sensor.list', 'sensor.task'];
const { LIMACHARLIE_OID, LIMACHARLIE_API_KEY, LIMACHARLIE_API_URL, LIMACHARLIE_JWT_URL } = settings;
const { LIMACHARLIE_WEBHOOK_SECRETS } = ingest;

/** The API key and what it may do; and whether webhooks could be checked. */
export async function checkLimaCharlie(env: Env): Promise<Finding[]> {
  return [...(await checkKey(env)), ...checkWebhook(env)];
}

async function checkKey(env: Env): Promise<Finding[]> {
  const check = 'LimaCharlie key';
  const shape = { LIMACHARLIE_OID, LIMACHARLIE_API_KEY, LIMACHARLIE_API_URL, LIMACHARLIE_JWT_URL };
  const read = settingsOf(check, shape, ['LIMACHARLIE_OID', 'LIMACHARLIE_API_KEY'], env);
  if ('findings' in read) return read.findings;
  const { config } = read;
  const client = limaCharlie({
    apiUrl: config.LIMACHARLIE_API_URL,
    jwtUrl: config.LIMACHARLIE_JWT_URL,
    oid: config.LIMACHARLIE_OID,
    apiKey: config.LIMACHARLIE_API_KEY,
    attempts: 1,
    timeoutMs: PATIENCE_MS,
    log: { warn: () => {} },
  });
  try {
    const { ident, permissions } = await client.whoAmI();
    const missing = NEEDED.filter((permission) => !permissions.includes(permission));
    if (missing.length === 0) return [ok(check, `${ident ?? 'the key'} may ${NEEDED.join(', ')}`)];
    return [
      wrong(
        check,
        `the key may not ${missing.join(', ')}`,
        `Give the API key ${missing.join(' and ')} in LimaCharlie.`,
      ),
    ];
  } catch (error) {
    return [wrong(check, error instanceof Error ? error.message : 'failed', fixOf(error))];
  }
}

function fixOf(error: unknown): string {
  if (error instanceof EdrDenied) {
    return `Create an API key with ${NEEDED.join(', ')} in that organisation: LIMACHARLIE_OID and LIMACHARLIE_API_KEY.`;
  }
  if (error instanceof EdrRateLimited)
    return 'Wait until LimaCharlie takes calls again, and see who else uses the quota.';
  if (error instanceof EdrUnavailable) {
    return 'Check LIMACHARLIE_API_URL and LIMACHARLIE_JWT_URL, and whether this machine gets out to LimaCharlie.';
  }
  return 'Check LIMACHARLIE_OID: it is the UUID of the organisation.';
}

/** Whether it is the right secret only a webhook can tell. */
function checkWebhook(env: Env): Finding[] {
  const check = 'webhook secret';
  const name = 'LIMACHARLIE_WEBHOOK_SECRETS';
  const read = settingsOf(check, { LIMACHARLIE_WEBHOOK_SECRETS }, [name], env);
  if ('findings' in read) return read.findings;
  const count = read.config.LIMACHARLIE_WEBHOOK_SECRETS.length;
  return [ok(check, `${count === 1 ? 'one is' : `${count} are`} set; \`cordon simulate\` tries it`)];
}
