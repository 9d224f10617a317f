import { ConfigurationError, list } from '@cordon/service';
import { z } from 'zod';

/** The notifier's own settings. Each channel may be left out, as a whole. */
export const settings = {
  PUBLIC_URL: z.string().transform((value, context) => {
    const url = webAddress(value);
    if (url && url.search === '' && url.hash === '') return url.href.replace(/\/+$/, '');
    return fault(context, 'must be the https address of the approval page, without query (http only on loopback)');
  }),

  SLACK_BOT_TOKEN: z.string().min(1).optional(),
  SLACK_CHANNEL: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,80}$/, 'must be the ID of a channel, such as C0123456789, not #name: names change')
    .optional(),
  SLACK_API_URL: z
    .string()
    .refine((value) => webAddress(value) !== undefined, 'must be an https address (http only on loopback)')
    .default('https://slack.com/api/'),
  /** Slack allows about one message per second and channel; a workspace with a higher limit may raise it. */
  SLACK_POSTS_PER_SECOND: z.coerce.number().positive().max(1000).default(1),
  SLACK_RECONCILE_WAIT_MS: z.coerce.number().int().min(0).max(600_000).default(10_000),

  SMTP_URL: z
    .string()
    .transform(
      (value, context) => mailServer(value) ?? fault(context, 'must be smtp://user:password@host:port or smtps://...'),
    )
    .optional(),
  SMTP_REQUIRE_TLS: z.stringbool().optional(),
  EMAIL_FROM: z
    .string()
    .transform(
      (value, context) =>
        sender(value) ?? fault(context, 'must be one address, as a@example.com or Name <a@example.com>'),
    )
    .optional(),
  EMAIL_TO: list()
    .refine((entries) => entries.length > 0 && entries.every(isAddress), 'must be bare addresses separated by commas')
    .transform((entries) => [...new Set(entries)])
    .optional(),
};
export type Config = z.output<z.ZodObject<typeof settings>>;

export type SlackSettings = {
  token: string;
  channel: string;
  apiUrl: string;
  postsPerSecond: number;
  reconcileWaitMs: number;
};
export type MailServer = { host: string; port: number; secure: boolean; auth?: { user: string; pass: string } };
export type Sender = { name: string; address: string };
export type MailSettings = { server: MailServer; requireTls: boolean; from: Sender; to: string[] };

/** The channels that are on. A channel that is half configured is a mistake, not a wish. */
export function channelsOf(config: Config): { slack?: SlackSettings; mail?: MailSettings } {
  const { SLACK_BOT_TOKEN: token, SLACK_CHANNEL: channel, SMTP_URL: server, EMAIL_FROM: from, EMAIL_TO: to } = config;
  const faults = [
    ...halfConfigured({ SLACK_BOT_TOKEN: token, SLACK_CHANNEL: channel }),
    ...halfConfigured({ SMTP_URL: server, EMAIL_FROM: from, EMAIL_TO: to }),
  ];
  if (faults.length > 0) throw new ConfigurationError(faults.map((text) => `  ${text}`).join('\n'));
  return {
    ...(token &&
      channel && {
        slack: {
          token,
          channel,
          apiUrl: config.SLACK_API_URL,
          postsPerSecond: config.SLACK_POSTS_PER_SECOND,
          reconcileWaitMs: config.SLACK_RECONCILE_WAIT_MS,
        },
      }),
    ...(server &&
      from &&
      to && { mail: { server, from, to, requireTls: config.SMTP_REQUIRE_TLS ?? !isLoopback(server.host) } }),
  };
}

/** Whether a host is this machine, so that what is sent to it crosses no network. */
export function isLoopback(host: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]', '::1'].includes(host);
}

function halfConfigured(values: Record<string, unknown>): string[] {
  const missing = Object.keys(values).filter((name) => values[name] === undefined);
  if (missing.length === 0 || missing.length === Object.keys(values).length) return [];
  return missing.map(
    (name) => `${name}: is required (or ${name}_FILE) where ${Object.keys(values).join(', ')} are used`,
  );
}

function fault(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

function webAddress(value: string): URL | undefined {
  const url = URL.parse(value);
  if (!url || url.username !== '' || url.password !== '') return undefined;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)) ? url : undefined;
}

function mailServer(value: string): MailServer | undefined {
  const url = URL.parse(value);
  if (!url || !['smtp:', 'smtps:'].includes(url.protocol) || url.hostname === '') return undefined;
  const secure = url.protocol === 'smtps:';
  const auth = { user: decoded(url.username), pass: decoded(url.password) };
  if (auth.user === undefined || auth.pass === undefined) return undefined;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    ...(auth.user !== '' && { auth: { user: auth.user, pass: auth.pass } }),
  };
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined; // a stray percent sign
  }
}

function sender(value: string): Sender | undefined {
  const [, name = '', address = value.trim()] = /^([^<>"\p{Cc}]*)<([^<>]+)>$/u.exec(value.trim()) ?? [];
  return isAddress(address) ? { name: name.trim(), address } : undefined;
}

/** One address and nothing else: what stands here decides who receives mail. */
function isAddress(value: string): boolean {
  return z.email().max(254).safeParse(value).success;
}
