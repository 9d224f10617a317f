import { WebAPIPlatformError, WebAPIRateLimitedError, WebAPIRequestError } from '@slack/web-api';

/** What became of a call that failed, and so what may be done next. */
export type SlackFailure =
  /** It did not happen, and may work later. */
  | { kind: 'not_done'; reason: string; retryAfterMs?: number }
  /** It did not happen, and will not until somebody fixes the app, its token or the channel. */
  | { kind: 'misconfigured'; reason: string; fix: string }
  /** It did not happen, and never will with this message. */
  | { kind: 'refused'; reason: string }
  /** It may have happened. */
  | { kind: 'unknown'; reason: string };

const TOKEN = 'Install the Slack app again and put its bot token into SLACK_BOT_TOKEN.';
const FIXES: Record<string, string> = {
  invalid_auth: TOKEN,
  not_authed: TOKEN,
  account_inactive: TOKEN,
  token_revoked: TOKEN,
  token_expired: TOKEN,
  not_allowed_token_type: 'SLACK_BOT_TOKEN must be a bot token (xoxb-...).',
  missing_scope: 'Give the Slack app the scopes chat:write, channels:history and groups:history, and install it again.',
  no_permission: 'Give the Slack app the scopes chat:write, channels:history and groups:history, and install it again.',
  channel_not_found: 'SLACK_CHANNEL must be the ID of a channel that the app can see; invite the app if it is private.',
  not_in_channel: 'Invite the Slack app to the channel.',
  is_archived: 'The channel is archived: restore it, or set SLACK_CHANNEL to another one.',
  restricted_action:
    'A workspace setting keeps the app from posting in this channel: an administrator has to allow it.',
  team_access_not_granted: 'An administrator has to grant the app access to the workspace.',
  org_login_required: 'The workspace is being migrated, or needs a login to the organisation.',
  ekm_access_denied: 'An administrator has suspended posting (EKM).',
};
const REFUSED = new Set([
  'invalid_blocks',
  'invalid_blocks_format',
  'msg_blocks_too_long',
  'msg_too_long',
  'no_text',
  'invalid_arguments',
  'metadata_too_large',
  'invalid_metadata_format',
  'invalid_metadata_schema',
  'thread_not_found',
  'cannot_reply_to_message',
  'message_not_found',
  'cant_update_message',
  'edit_window_closed',
]);
const LIMITED = new Set(['ratelimited', 'rate_limited', 'message_limit_exceeded']);
/** The connection was never made, so nothing was asked for. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Judges an error of Slack's client. Whatever is not known to have failed counts as unknown. */
export function classifySlackError(error: unknown): SlackFailure {
  if (error instanceof WebAPIRateLimitedError) {
    return { kind: 'not_done', reason: 'ratelimited', retryAfterMs: error.retryAfter * 1000 };
  }
  if (error instanceof WebAPIPlatformError) {
    const reason = error.data.error;
    const fix = Object.hasOwn(FIXES, reason) ? FIXES[reason] : undefined;
    if (fix) return { kind: 'misconfigured', reason, fix };
    if (REFUSED.has(reason)) return { kind: 'refused', reason };
    if (LIMITED.has(reason)) return { kind: 'not_done', reason };
    // A page that somebody else answered with ends up here as the error's name.
    return { kind: 'unknown', reason: /^[a-z_]{1,60}$/.test(reason) ? reason : 'not an answer of Slack' };
  }
  const code = error instanceof WebAPIRequestError ? deepestCode(error) : undefined;
  if (code !== undefined && NEVER_SENT.has(code)) return { kind: 'not_done', reason: code };
  return { kind: 'unknown', reason: code ?? (error instanceof Error ? error.name : 'failed') };
}

/** The system's own code hides below one or two wrappers. */
function deepestCode(error: Error): string | undefined {
  for (let inner: unknown = error.cause; inner instanceof Error; inner = inner.cause) {
    if ('code' in inner && typeof inner.code === 'string') return inner.code;
  }
  return undefined;
}
