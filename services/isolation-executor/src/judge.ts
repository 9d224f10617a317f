import type { Sensor } from '@cordon/limacharlie';

export type Limits = {
  isProtected(hostname: string): boolean;
  /** Milliseconds after which a decision is not carried out any more. */
  decisionMaxAgeMs: number;
  dryRun: boolean;
};
export type Verdict =
  | { do: 'isolate' | 'report' }
  | { do: 'fail' | 'refuse' | 'simulate'; code: string; explanation: string };

/** What to do about a decision to isolate: every reason not to cut an endpoint off, whatever people decided. */
export function judge(
  sensor: Sensor | undefined,
  { hostname, decisionAgeMs }: { hostname: string; decisionAgeMs: number },
  limits: Limits,
): Verdict {
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
  if (limits.isProtected(sensor.hostname) || limits.isProtected(hostname)) {
    return {
      do: 'refuse',
      code: 'protected_host',
      explanation: `${hostname} is on the list of protected hosts and is never isolated automatically. Decide by hand, in LimaCharlie.`,
    };
  }
  if (sensor.shouldIsolate) return { do: 'report' }; // a repetition must not be stopped by what it did itself
  if (decisionAgeMs > limits.decisionMaxAgeMs) {
    const minutes = Math.round(decisionAgeMs / 60_000);
    return {
      do: 'refuse',
      code: 'stale_decision',
      explanation: `The decision was ${minutes} minutes old before it could be carried out, which is too old to act on. ${hostname} is still connected.`,
    };
  }
  if (limits.dryRun) {
    return {
      do: 'simulate',
      code: 'dry_run',
      explanation: `Dry run: everything was checked, but LimaCharlie was not called. ${hostname} is still connected.`,
    };
  }
  return { do: 'isolate' };
}
