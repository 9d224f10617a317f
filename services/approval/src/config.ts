import { createPublicKey, type KeyObject } from 'node:crypto';
import { ConfigurationError, list, port, signingKey, verificationKeys } from '@cordon/service';
import { z } from 'zod';

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** A URL whose secrets travel encrypted: https, or http to this very machine. */
const secureUrl = z
  .url({ protocol: /^https?$/ })
  .refine(
    (value) => !URL.canParse(value) || value.startsWith('https:') || LOOPBACK.test(new URL(value).hostname),
    'must be https (http only for loopback)',
  );

export const settings = {
  PORT: port(8081),
  /** Where people reach this service: links, the Origin check and the sign-in redirect are built from it. */
  PUBLIC_URL: secureUrl
    .refine(
      (value) => !URL.canParse(value) || new URL(value).pathname === '/',
      'must have no path: Cordon needs a host name of its own',
    )
    .transform((value) => new URL(value).origin),
  OIDC_ISSUER: secureUrl,
  OIDC_CLIENT_ID: z.string().min(1),
  OIDC_CLIENT_SECRET: z.string().min(1),
  /** What to ask the provider for. Left out: openid, email, profile, and groups where the provider knows it. */
  OIDC_SCOPE: z.string().min(1).optional(),
  OIDC_GROUPS_CLAIM: z.string().min(1).default('groups'),
  OIDC_APPROVER_GROUP: z.string().min(1),
  OIDC_VIEWER_GROUP: z.string().min(1),
  SESSION_SECRET: z.string().min(32, 'needs at least 32 characters'),
  /** Addresses of reverse proxies whose X-Forwarded-For is believed. */
  TRUST_PROXY: list().optional(),
  /** From one address. A large office behind one address may need more. */
  SIGN_INS_PER_MINUTE: z.coerce.number().int().positive().default(20),
  /** Signs decisions. The executor believes nothing that this key did not sign. */
  DECISION_SIGNING_KEY: signingKey(),
  /** Whose questions and votes count beside its own: while the key is being changed, the old one's. */
  DECISION_PUBLIC_KEYS: verificationKeys().optional(),
  /** Who may decide what, and how. Left out: the built-in policy. */
  POLICY_FILE: z.string().min(1).optional(),
  /** Where the policy is silent: how long a question stays open, and the same finding is not asked about again. */
  APPROVAL_EXPIRY_MINUTES: z.coerce.number().positive().default(30),
  APPROVAL_QUIET_MINUTES: z.coerce.number().nonnegative().default(60),
  /** Deciding in Slack: its requests are signed with this secret, or come over a socket that this token opens. */
  SLACK_SIGNING_SECRET: z.string().min(1).optional(),
  SLACK_APP_TOKEN: z.string().startsWith('xapp-', 'must be an app-level token (xapp-...)').optional(),
  SLACK_BOT_TOKEN: z.string().min(1).optional(),
  SLACK_API_URL: secureUrl.default('https://slack.com/api/'),
};
export type Config = z.infer<z.ZodObject<typeof settings>>;

/** Whose questions and votes count. */
export function believedKeys({ DECISION_SIGNING_KEY, DECISION_PUBLIC_KEYS = [] }: Config): KeyObject[] {
  return [createPublicKey(DECISION_SIGNING_KEY), ...DECISION_PUBLIC_KEYS];
}

export type SlackSettings = {
  token: string;
  apiUrl: string;
  signingSecret: string | undefined;
  appToken: string | undefined;
};

/** How people decide in Slack; nothing where they do not. */
export function slackOf(config: Config): SlackSettings | undefined {
  const { SLACK_SIGNING_SECRET: signingSecret, SLACK_APP_TOKEN: appToken, SLACK_BOT_TOKEN: token } = config;
  if (signingSecret === undefined && appToken === undefined) return undefined;
  if (token === undefined) {
    throw new ConfigurationError(
      '  SLACK_BOT_TOKEN: is required (or SLACK_BOT_TOKEN_FILE) where people decide in Slack: it opens the question',
    );
  }
  return { token, apiUrl: config.SLACK_API_URL, signingSecret, appToken };
}
