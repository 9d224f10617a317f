import { stringify } from 'yaml';
import type { Machine } from './match.ts';
import { parsePolicy, type Policy } from './parse-policy.ts';

/** Valid test data: a test names only what it is about. */
export function aPolicy(content: Record<string, unknown> = {}): Policy {
  return parsePolicy(stringify({ tiers: [{ name: 'all' }], ...content }));
}

export function aMachine(about: Partial<Machine> = {}): Machine {
  return { hostname: 'win-srv-07.corp.example', tags: ['windows', 'server'], platform: 'windows', ...about };
}

export const DEFAULTS = {
  approverGroup: 'soc',
  expiryMs: 30 * 60_000,
  quietMs: 60 * 60_000,
  mail: ['soc@example.com'],
};
