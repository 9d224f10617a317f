import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PolicyError } from './faults.ts';
import { parsePolicy, type Policy } from './parse-policy.ts';

const BUILT_IN = fileURLToPath(new URL('../policy.yaml', import.meta.url));
const POLL_MS = 1000;

/** Reads a policy from a file; the built-in one where none is named. Throws `PolicyError`. */
export function loadPolicy(path: string | undefined): Policy {
  const file = path ?? BUILT_IN;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
  return parsePolicy(text, file);
}

/** A policy that follows its file. */
export type WatchedPolicy = { current(): Policy; close(): void };

/**
 * Reads a policy as {@link loadPolicy} does, and again whenever the file's content changes. A text with faults, or a file
 * that is gone, is told once and changes nothing: the policy before it stays in force.
 *
 * It looks at the content every second: a Kubernetes config map is swapped as a symlink, which file events miss. A text
 * counts when it is the same twice in a row: half of a policy may be a valid one, without the protected machines.
 */
export function watchPolicy(
  path: string | undefined,
  onChange: (policy: Policy) => void,
  onFault: (error: PolicyError) => void,
  pollMs = POLL_MS,
): WatchedPolicy {
  let policy = loadPolicy(path);
  let lastText = policy.text;
  let faultTold: string | undefined;
  let closed = false;

  async function look(file: string): Promise<void> {
    try {
      const text = await readFile(file, 'utf8').catch((error: unknown) => {
        throw unreadable(file, error);
      });
      const isSettled = text === lastText;
      lastText = text;
      if (!isSettled) return;
      const isNew = text !== policy.text;
      if (isNew) policy = parsePolicy(text, file);
      faultTold = undefined;
      if (isNew && !closed) onChange(policy);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      if (error.message !== faultTold && !closed) onFault(error);
      faultTold = error.message;
    }
  }
  let timer: NodeJS.Timeout | undefined;
  const schedule = (file: string): void => {
    timer = setTimeout(() => {
      void look(file).finally(() => {
        if (!closed) schedule(file);
      });
    }, pollMs).unref();
  };
  if (path !== undefined) schedule(path);
  return {
    current: () => policy,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function unreadable(file: string, error: unknown): PolicyError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
  return new PolicyError([`${file}: cannot be read (${code})`], { cause: error });
}
