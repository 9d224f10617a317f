import { type Handler, type Operator, RetryLaterError } from '@cordon/bus';
import type { StoredEvent } from '@cordon/contracts';
import { settings } from '@cordon/isolation-executor/src/config.ts';
import type { Edr } from '@cordon/isolation-executor/src/edr.ts';
import { createBlastRadius } from '@cordon/isolation-executor/src/blast-radius.ts';
import { executeOnDecision } from '@cordon/isolation-executor/src/execute.ts';
import { watchUntilConfirmed } from '@cordon/isolation-executor/src/watch.ts';
import { limaCharlie } from '@cordon/limacharlie/client';
import { loadPolicy, type Machine, protectedBy, protectedHosts } from '@cordon/policy';
import { loadConfig } from '@cordon/service';
import { type Act, readOnly } from './acts.ts';

type Env = Record<string, string | undefined>;
const { LIMACHARLIE_OID, LIMACHARLIE_API_KEY, LIMACHARLIE_API_URL, LIMACHARLIE_JWT_URL } = settings;
const { PROTECTED_HOSTS, DRY_RUN, DECISION_MAX_AGE_MINUTES, DECISION_PUBLIC_KEYS, POLICY_FILE } = settings;
const { CONFIRM_POLL_SECONDS, OFFLINE_POLL_SECONDS, CONFIRM_TIMEOUT_SECONDS } = settings;

/** The executor's own handler and guards, on an EDR that is read and never told anything. */
export async function rehearseExecute(operator: Operator, env: Env, acts: Act[]): Promise<Handler<StoredEvent>> {
  const shape = {
    PROTECTED_HOSTS,
    DRY_RUN,
    DECISION_MAX_AGE_MINUTES,
    DECISION_PUBLIC_KEYS,
    POLICY_FILE,
    LIMACHARLIE_OID,
  };
  const config = loadConfig(shape, env);
  const policy = loadPolicy(config.POLICY_FILE);
  const isProtected = protectedHosts(config.PROTECTED_HOSTS);
  const edr = edrOf(env, acts);
  return executeOnDecision(readOnly(await operator.log(), acts), edr, {
    authority: () => ({
      keys: config.DECISION_PUBLIC_KEYS,
      policy,
      tenantId: config.LIMACHARLIE_OID,
      maxAgeMs: config.DECISION_MAX_AGE_MINUTES * 60_000,
    }),
    limits: {
      protectedBy: (machine: Machine) =>
        isProtected(machine.hostname) ? 'PROTECTED_HOSTS' : protectedBy(policy, machine),
      dryRun: config.DRY_RUN,
    },
    // Read and not written: how many were isolated lately counts, and nothing is used up.
    blastRadius: createBlastRadius(
      {
        async get(key) {
          const found = await operator.bucketValue('guards', key);
          return found ? { operation: 'PUT', revision: found.revision, string: () => found.text } : null;
        },
        create: async () => {},
        update: async () => {},
      },
      () => policy.blast_radius,
      async () => undefined,
    ),
  });
}

/** The executor's own way of following a sensor: one look. */
export async function rehearseWatch(operator: Operator, env: Env, acts: Act[]): Promise<Handler<StoredEvent>> {
  const config = loadConfig({ CONFIRM_POLL_SECONDS, OFFLINE_POLL_SECONDS, CONFIRM_TIMEOUT_SECONDS }, env);
  return watchUntilConfirmed(readOnly(await operator.log(), acts), edrOf(env, acts), {
    confirmPollMs: config.CONFIRM_POLL_SECONDS * 1000,
    offlinePollMs: config.OFFLINE_POLL_SECONDS * 1000,
    confirmTimeoutMs: config.CONFIRM_TIMEOUT_SECONDS * 1000,
  });
}

/** LimaCharlie's own answers where a key is configured; else a sensor that is taken to be online and not isolated. */
function edrOf(env: Env, acts: Act[]): Edr {
  const call = (method: string, sid: string): void =>
    void acts.push({ to: 'LimaCharlie', what: `${method} /v1/${sid}/isolation` });
  return {
    ...readsOf(env),
    isolate: async (sid) => call('POST', sid),
    rejoin: async (sid) => call('DELETE', sid),
  };
}

async function notAsked(): Promise<never> {
  throw new RetryLaterError(0, 'LIMACHARLIE_API_KEY is not set, so the sensor cannot be asked');
}

function readsOf(env: Env): Pick<Edr, 'findSensor' | 'isolationOf' | 'isOnline'> {
  if (env['LIMACHARLIE_API_KEY'] || env['LIMACHARLIE_API_KEY_FILE']) {
    const shape = { LIMACHARLIE_OID, LIMACHARLIE_API_KEY, LIMACHARLIE_API_URL, LIMACHARLIE_JWT_URL };
    const config = loadConfig(shape, env);
    return limaCharlie({
      apiUrl: config.LIMACHARLIE_API_URL,
      jwtUrl: config.LIMACHARLIE_JWT_URL,
      oid: config.LIMACHARLIE_OID,
      apiKey: config.LIMACHARLIE_API_KEY,
      attempts: 1,
      log: { warn: () => {} },
    });
  }
  return {
    findSensor: async (sid) => ({
      sid,
      hostname: sid,
      plat: undefined,
      platformName: 'unknown',
      isEndpoint: true,
      online: true,
      isolated: false,
      shouldIsolate: false,
    }),
    isolationOf: notAsked,
    isOnline: notAsked,
  };
}
