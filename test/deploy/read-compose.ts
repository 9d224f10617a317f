import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { readText } from './services.ts';

const Container = z.object({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string(), args: z.object({ SERVICE: z.string() }) }).optional(),
  command: z.array(z.string()).optional(),
  restart: z.string(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  mem_limit: z.string(),
  networks: z.array(z.string()),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});
export type Container = z.infer<typeof Container>;

const Compose = z.object({
  services: z.record(z.string(), Container),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
  networks: z.record(z.string(), z.object({ internal: z.boolean().default(false) })),
  volumes: z.record(z.string(), z.unknown()),
});
export type Compose = z.infer<typeof Compose>;

export const COMPOSE_FILE = 'deploy/compose.yaml';

/** The file as YAML means it: anchors and merge keys resolved, variables not. */
export function readComposeDocument(): unknown {
  const document: unknown = parse(readText(COMPOSE_FILE), { merge: true });
  return document;
}

/** The file with its variables filled in, as `docker compose --env-file` does. Throws where a required one is missing. */
export function readCompose(variables: Record<string, string>): Compose {
  return Compose.parse(filledIn(readComposeDocument(), variables));
}

function filledIn(value: unknown, variables: Record<string, string>): unknown {
  if (typeof value === 'string') return fill(value, variables);
  if (Array.isArray(value)) return value.map((entry: unknown) => filledIn(entry, variables));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, filledIn(entry, variables)]));
}

const VARIABLE = /\$\{(\w+)(:[-?+])?([^}]*)\}/g;

function fill(text: string, variables: Record<string, string>): string {
  return text.replaceAll(VARIABLE, (_whole, name: string, operator: string | undefined, word: string) => {
    const value = variables[name] ?? '';
    if (operator === ':+') return value && word;
    if (value === '' && operator === ':?') throw new Error(`${name} is required`);
    return value === '' && operator === ':-' ? word : value;
  });
}

/** What a container gets to see, with the folder that stands for /run/secrets. */
export function environmentOf(container: Container, secretsFolder: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(container.environment).map(([name, value]) => [
      name,
      value.replace(/^\/run\/secrets(?=\/)/, join(secretsFolder)),
    ]),
  );
}

/** The setting that is read from a secret of compose.yaml: `session-secret` is SESSION_SECRET. */
export const settingOf = (secret: string): string => secret.toUpperCase().replaceAll('-', '_');
