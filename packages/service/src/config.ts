import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The settings every service has. `adminPort` is the service's own default. */
export const commonSettings = (adminPort: number) => ({
  NATS_URL: z
    .string()
    .default('nats://127.0.0.1:4222')
    .refine(
      (value) => value.split(',').every((url) => /^(nats|tls):\/\/./.test(url)),
      'must be nats://host:port or tls://host:port, several separated by commas',
    ),
  NATS_REPLICAS: z.coerce.number().int().min(1).max(5).optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  ADMIN_PORT: port(adminPort),
  /** The address to listen on. Loopback unless told otherwise: in a container set 0.0.0.0. */
  HOST: z.string().min(1).default('127.0.0.1'),
});

/** A TCP port; 0 takes a free one. */
export function port(fallback: number) {
  return z.coerce.number().int().min(0).max(65_535).default(fallback);
}

/** A comma-separated list without empty entries. */
export function list() {
  return z.string().transform((value) =>
    value
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ''),
  );
}

/** A setting or secret that is wrong, with every fault at once. Never shows a value. */
export class ConfigurationError extends Error {
  override readonly name: string = 'ConfigurationError';
}

/**
 * Reads and checks the environment. Any variable `X` may come as `X_FILE`, the path of a file that holds it (a trailing
 * newline is dropped). Empty variables count as unset. Throws `ConfigurationError` naming every faulty variable.
 */
export function loadConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  env: Record<string, string | undefined>,
): z.output<z.ZodObject<Shape>> {
  const values: Record<string, string> = {};
  const faults: string[] = [];
  for (const name of Object.keys(shape)) {
    const file = env[`${name}_FILE`];
    const value = env[name];
    if (value && file) faults.push(`${name}: set both as ${name} and ${name}_FILE; keep one`);
    else if (value) values[name] = value;
    else if (file) {
      try {
        const content = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
        if (content !== '') values[name] = content;
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
        faults.push(`${name}_FILE: cannot read ${file} (${code})`);
      }
    }
  }
  const result = z.object(shape).safeParse(values);
  if (!result.success) {
    for (const issue of result.error.issues) {
      const name = issue.path.map(String).join('.');
      if (faults.some((fault) => fault.startsWith(name))) continue;
      faults.push(name in values ? `${name}: ${issue.message}` : `${name}: is required (or ${name}_FILE)`);
    }
  }
  if (!result.success || faults.length > 0) {
    throw new ConfigurationError(faults.map((fault) => `  ${fault}`).join('\n'));
  }
  return result.data;
}
