import { settings as approval } from '@cordon/approval/src/config.ts';
import { settings as executor } from '@cordon/isolation-executor/src/config.ts';
import { settings as notifier } from '@cordon/notifier/src/config.ts';
import { type Defaults, loadPolicy, type Policy, PolicyError } from '@cordon/policy';
import { ConfigurationError, loadConfig } from '@cordon/service';
import { z } from 'zod';
import { CommandError, type Context, EXIT } from './command.ts';

const SETTINGS = {
  POLICY_FILE: z.string().min(1).optional(),
  OIDC_APPROVER_GROUP: approval.OIDC_APPROVER_GROUP.default('the group in OIDC_APPROVER_GROUP'),
  APPROVAL_EXPIRY_MINUTES: approval.APPROVAL_EXPIRY_MINUTES,
  APPROVAL_QUIET_MINUTES: approval.APPROVAL_QUIET_MINUTES,
  EMAIL_TO: notifier.EMAIL_TO,
  PROTECTED_HOSTS: executor.PROTECTED_HOSTS,
};

/** The policy file to look at, and what the settings say where it is silent. Throws `CommandError`. */
export function policySettings(env: Context['env']): {
  file: string | undefined;
  defaults: Defaults;
  protectedHosts: string[];
} {
  try {
    const config = loadConfig(SETTINGS, env);
    return {
      file: config.POLICY_FILE,
      defaults: {
        approverGroup: config.OIDC_APPROVER_GROUP,
        expiryMs: config.APPROVAL_EXPIRY_MINUTES * 60_000,
        quietMs: config.APPROVAL_QUIET_MINUTES * 60_000,
        mail: config.EMAIL_TO ?? [],
      },
      protectedHosts: config.PROTECTED_HOSTS,
    };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CommandError(EXIT.usage, `bad configuration\n${error.message}`, { cause: error });
  }
}

/** The policy in force for a machine: the file's, and PROTECTED_HOSTS. Throws `CommandError` with every fault. */
export function readPolicy(file: string | undefined, protectedHosts: readonly string[]): Policy {
  try {
    const policy = loadPolicy(file);
    const { protected: entries } = policy;
    return { ...policy, protected: { ...entries, hosts: [...entries.hosts, ...protectedHosts] } };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new CommandError(EXIT.wrong, `the policy cannot be used\n${error.message}`, { cause: error });
  }
}
