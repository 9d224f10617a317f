import { randomUUID } from 'node:crypto';
import { startSystem, type System } from '@cordon/sandbox';
import { policyFile } from '../chaos/policy-file.ts';
import { startMailSink } from './mail-sink.ts';
import { type SlackClock, startSlackClock } from './slack-clock.ts';

export const SECRET = 'bench-secret-that-is-long-enough';
const SENSORS = 360;
/** Every machine may be cut off. */
const POLICY = `
tiers: [{ name: one }]
blast_radius: { isolations: 1000, within: 1h, fleet_percent: 100 }
`;

/** All of Cordon, ready to be measured. */
export interface Stage extends AsyncDisposable {
  readonly system: System;
  readonly slack: SlackClock;
  /** The organisation, and machines of it that can be isolated. */
  readonly oid: string;
  readonly sensors: { sid: string; hostname: string }[];
}

/** What was measured of a system. Turn by turn, as the machine is not equally fast for long. */
export type Figures = {
  /** Webhooks per second. */
  ingest: { bare: number[]; cordon: number[] };
  /** In milliseconds. */
  notice: { bare: number[][]; notice: number[][] };
  /** In milliseconds. */
  decision: number[];
};
/** Several are measured by turns, the others idle meanwhile: what a machine does to one it then does to all. */
export type Measured = { stage: Stage; figures: Figures };

export function nothingMeasured(): Figures {
  return { ingest: { bare: [], cordon: [] }, notice: { bare: [], notice: [] }, decision: [] };
}

/** On a broker of its own, or on one that has seen something. */
export async function setStage(natsUrl?: string): Promise<Stage> {
  const sensors = Array.from({ length: SENSORS }, (_, index) => ({
    sid: randomUUID(),
    hostname: `bench-host-known-${index}`,
  }));
  const slack = await startSlackClock();
  const mail = await startMailSink();
  const policy = await policyFile(POLICY);
  const system = await startSystem({
    sensors,
    env: {
      LIMACHARLIE_WEBHOOK_SECRETS: SECRET,
      LOG_LEVEL: 'warn',
      SLACK_BOT_TOKEN: 'xoxb-bench',
      SLACK_CHANNEL: 'C1',
      SLACK_API_URL: slack.apiUrl,
      SLACK_POSTS_PER_SECOND: '1000',
      SMTP_URL: mail.url,
      EMAIL_FROM: 'cordon@cordon.example',
      EMAIL_TO: 'soc@cordon.example',
      POLICY_FILE: policy.path,
      ...(natsUrl !== undefined && { NATS_URL: natsUrl }),
    },
  });
  const close = async (): Promise<void> => {
    await system.close();
    await slack[Symbol.asyncDispose]();
    await mail[Symbol.asyncDispose]();
    await policy[Symbol.asyncDispose]();
  };
  try {
    await Promise.all(Object.values(system.services).map((service) => service.ready(60_000)));
    if (!system.limaCharlie) throw new Error('no stand-in');
    return {
      system,
      slack,
      oid: system.limaCharlie.oid,
      sensors,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
