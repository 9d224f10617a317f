import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { z } from 'zod';

/** How hard the drill is. */
export type DrillOptions = {
  seed: number;
  /** Detections, each with an id of its own. */
  webhooks: number;
  /** Per second, while they come; where they would be through before `seconds` are over, they come in waves. */
  rate: number;
  /** SIGKILLs: about two thirds of services, the rest of broker nodes. */
  kills: number;
  /** SIGSTOPs. */
  pauses: number;
  /** Times that each stand-in misbehaves. */
  faults: number;
  /** How long things happen, before the drill waits for quiet. */
  seconds: number;
  /** Machines. Each has one incident, which its other detections join. */
  hosts: number;
  /** How long a question stays open that nobody answers. */
  expirySeconds: number;
  /** How long a machine stays isolated that is released by itself. */
  releaseSeconds: number;
  /** How long after the last of it everything may take to be done. */
  quietSeconds: number;
  /** A new folder for the services' logs. */
  logs?: string | undefined;
};

/** What `npm run drill` does. */
export const FULL: Omit<DrillOptions, 'seed'> = {
  webhooks: 10_000,
  rate: 220, // a little more than the 200 that are promised: timers are late on a busy machine
  kills: 30,
  pauses: 6,
  faults: 4,
  seconds: 180,
  hosts: 60,
  expirySeconds: 60,
  releaseSeconds: 20,
  quietSeconds: 600,
};

/** What `npm test` does. */
export const SHORT: Omit<DrillOptions, 'seed'> = {
  webhooks: 600,
  rate: 40,
  kills: 6,
  pauses: 1,
  faults: 1,
  seconds: 35,
  hosts: 10,
  expirySeconds: 24,
  releaseSeconds: 5,
  quietSeconds: 180,
};

const Amount = z.coerce.number().int().positive();

/** `--short`, and any option by its name: `--seed 7 --webhooks 10000`. Throws where one is not a number or not known. */
export function readOptions(args: string[]): DrillOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: {
      short: { type: 'boolean', default: false },
      logs: text,
      seed: text,
      webhooks: text,
      rate: text,
      kills: text,
      pauses: text,
      faults: text,
      seconds: text,
      hosts: text,
      expirySeconds: text,
      releaseSeconds: text,
      quietSeconds: text,
    },
  });
  const { short, logs, ...given } = values;
  if (logs !== undefined && existsSync(join(logs, 'slack.json')))
    throw new Error(`${logs} holds the messages of another drill, which would be counted again: name a new folder`);
  const defaults: DrillOptions = { seed: randomInt(1, 1_000_000), ...(short ? SHORT : FULL) };
  return { ...defaults, ...z.partialRecord(z.enum(NAMES), Amount).parse(given), logs };
}

const NAMES = [
  'seed',
  'webhooks',
  'rate',
  'kills',
  'pauses',
  'faults',
  'seconds',
  'hosts',
  'expirySeconds',
  'releaseSeconds',
  'quietSeconds',
] as const;
