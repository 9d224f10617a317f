import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type LimaCharlieSandbox,
  type Mail,
  type ServiceProcess,
  type Slack,
  startLimaCharlie,
  startSystem,
  type System,
} from '@cordon/sandbox';
import { type Cluster, startCluster } from '../../../packages/sandbox/src/cluster.ts';
import { policyFile } from '../policy-file.ts';
import { type Habit, habitsFor, policyOf } from './habits.ts';
import type { DrillOptions } from './options.ts';
import type { Random } from './random.ts';

export type Host = { sid: string; hostname: string; habit: Habit };

/** All of Cordon on a cluster, its stand-ins, and somebody who starts again what ends by itself. */
export type Stage = AsyncDisposable & {
  oid: string;
  hosts: Host[];
  cluster: Cluster;
  system: System;
  services: ServiceProcess[];
  limaCharlie: LimaCharlieSandbox;
  slack: Slack;
  mail: Mail;
  /** Exits that nobody ordered. */
  endings: { service: string; at: number; lastWords: string }[];
};

const START_AGAIN_MS = 500;
/** Long enough to tell waiting between looks from looking without a wait. */
const ISOLATION_LAG_MS = 10_000;
/** How often an isolated machine is looked at. */
export const DRIFT_POLL_SECONDS = 10;
/** People answer the others, however long that takes while things break. */
const EXPIRY_MINUTES = 20;

export async function startStage(options: DrillOptions, chance: Random): Promise<Stage> {
  const { hosts: count, expirySeconds, releaseSeconds, logs } = options;
  const oid = randomUUID();
  const apiKey = randomBytes(24).toString('base64url');
  const hosts = habitsFor(count, chance).map((habit, index) => ({
    sid: randomUUID(),
    hostname: `drill-${String(index + 1).padStart(3, '0')}-${habit.tier}`,
    habit,
  }));
  await using parts = new AsyncDisposableStack();
  const policy = parts.use(await policyFile(policyOf(expirySeconds, releaseSeconds)));
  const cluster = parts.use(await startCluster({ nodes: 3 }));
  const limaCharlie = parts.use(
    await startLimaCharlie({
      oid,
      apiKey,
      sensors: hosts.map(({ sid, hostname }) => ({ sid, hostname })),
      isolationLagMs: ISOLATION_LAG_MS,
    }),
  );
  const system = parts.use(
    await startSystem({
      stateDir: logs,
      env: {
        NATS_URL: cluster.url,
        NATS_REPLICAS: '3',
        LIMACHARLIE_OID: oid,
        LIMACHARLIE_API_KEY: apiKey,
        LIMACHARLIE_API_URL: limaCharlie.apiUrl,
        LIMACHARLIE_JWT_URL: limaCharlie.jwtUrl,
        CONFIRM_POLL_SECONDS: '2',
        OFFLINE_POLL_SECONDS: '2',
        SLACK_RECONCILE_WAIT_MS: '1000',
        SLACK_POSTS_PER_SECOND: '4', // with Slack's one, the drill would wait for little else
        DRIFT_POLL_SECONDS: String(DRIFT_POLL_SECONDS),
        APPROVAL_EXPIRY_MINUTES: String(EXPIRY_MINUTES),
        POLICY_FILE: policy.path,
      },
    }),
  );
  const { slack, mail } = system;
  if (!slack || !mail) throw new Error('a stand-in is missing');
  const services = Object.values(system.services);
  await Promise.all(services.map((service) => service.ready(60_000)));
  await cluster.healthy();

  const endings: Stage['endings'] = [];
  let closing = false;
  for (const service of services) {
    service.onExit((_code, signal) => {
      if (closing || signal === 'SIGKILL') return;
      endings.push({ service: service.name, at: Date.now(), lastWords: service.output().slice(-2000) });
      void delay(START_AGAIN_MS).then(() => (closing ? undefined : service.start()));
    });
  }
  const whole = parts.move();
  return {
    oid,
    hosts,
    cluster,
    system,
    services,
    limaCharlie,
    slack,
    mail,
    endings,
    async [Symbol.asyncDispose]() {
      closing = true;
      await whole.disposeAsync();
    },
  };
}
