import type { Sensor } from '@cordon/limacharlie';
import type { Machine } from '@cordon/policy';

export type Limits = {
  /** What protects a machine, in words, if anything does. */
  protectedBy(machine: Machine): string | undefined;
  dryRun: boolean;
};
export type Verdict =
  | { do: 'isolate' | 'report' }
  | { do: 'fail' | 'refuse' | 'simulate'; code: string; explanation: string };

/** What to do about a decision to isolate: every reason not to cut an endpoint off, whatever people decided. */
export function judge(sensor: Sensor | undefined, machine: Machine, limits: Limits): Verdict {
  const { hostname } = machine;
  if (!sensor) {
    return {
      do: 'fail',
      code: 'unknown_sensor',
      explanation: `LimaCharlie knows no sensor for ${hostname}. It was deleted or belongs to another organisation. Nothing was isolated.`,
    };
  }
  if (!sensor.isEndpoint) {
    return {
      do: 'refuse',
      code: 'unsupported_platform',
      explanation: `${hostname} is a ${sensor.platformName} source, not a machine that LimaCharlie can isolate.`,
    };
  }
  // By the name it had when it was detected, and by what LimaCharlie knows of it now.
  const now = { hostname: sensor.hostname, tags: sensor.tags ?? [], platform: sensor.platformName };
  const protection = limits.protectedBy(machine) ?? limits.protectedBy(now);
  if (protection !== undefined) {
    return {
      do: 'refuse',
      code: 'protected_host',
      explanation: `${hostname} is protected (${protection}) and is never isolated automatically. Decide by hand, in LimaCharlie.`,
    };
  }
  if (sensor.shouldIsolate) return { do: 'report' }; // a repetition must not be stopped by what it did itself
  if (limits.dryRun) {
    return {
      do: 'simulate',
      code: 'dry_run',
      explanation: `Dry run: everything was checked, but LimaCharlie was not called. ${hostname} is still connected.`,
    };
  }
  return { do: 'isolate' };
}
