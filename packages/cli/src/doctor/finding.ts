import { ConfigurationError, loadConfig } from '@cordon/service';
import type { z } from 'zod';

/** What one check found. `off`: not configured, which may be a wish. `fix` is one sentence. */
export type Finding =
  | { check: string; status: 'ok' | 'off'; says: string }
  | { check: string; status: 'wrong'; says: string; fix: string };
export type Env = Record<string, string | undefined>;
export type Check = (env: Env) => Promise<Finding[]>;

/** Every check gives up after this long. */
export const PATIENCE_MS = 8000;

export function ok(check: string, says: string): Finding {
  return { check, status: 'ok', says };
}

export function wrong(check: string, says: string, fix: string): Finding {
  return { check, status: 'wrong', says, fix };
}

/**
 * The settings of one counterpart, or what to say where there are none: `off` where none of `needed` is set, `wrong` with
 * every fault where they are not what they should be.
 */
export function settingsOf<Shape extends z.ZodRawShape>(
  check: string,
  shape: Shape,
  needed: readonly string[],
  env: Env,
): { config: z.output<z.ZodObject<Shape>> } | { findings: Finding[] } {
  const isSet = (name: string): boolean => Boolean(env[name] || env[`${name}_FILE`]);
  if (!needed.some(isSet)) {
    return { findings: [{ check, status: 'off', says: `not configured (${needed.join(', ')})` }] };
  }
  const missing = needed.filter((name) => !isSet(name));
  if (missing.length > 0) {
    const says = `half configured: ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not set`;
    return {
      findings: [wrong(check, says, `Set ${missing.join(' and ')}, or leave out all of ${needed.join(', ')}.`)],
    };
  }
  return readSettings(check, shape, env);
}

/** The settings, or `wrong` with every fault. */
export function readSettings<Shape extends z.ZodRawShape>(
  check: string,
  shape: Shape,
  env: Env,
): { config: z.output<z.ZodObject<Shape>> } | { findings: Finding[] } {
  try {
    return { config: loadConfig(shape, env) };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const faults = error.message.split('\n').map((line) => line.trim());
    return {
      findings: faults.map((fault) => wrong(check, fault, `Correct ${fault.split(':')[0]} (see .env.example).`)),
    };
  }
}

/** The code of the system's own error below a failed request, such as ECONNREFUSED. */
export function reasonOf(error: unknown): string {
  for (let inner: unknown = error; inner instanceof Error; inner = inner.cause) {
    if ('code' in inner && typeof inner.code === 'string') return inner.code;
    if (inner.name === 'TimeoutError') return 'no answer in time';
  }
  return error instanceof Error ? error.message : 'failed';
}
