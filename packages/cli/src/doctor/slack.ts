import { settings } from '@cordon/notifier/src/config.ts';
import { classifySlackError } from '@cordon/notifier/src/slack-failure.ts';
import { LogLevel, WebClient } from '@slack/web-api';
import { type Env, type Finding, ok, PATIENCE_MS, settingsOf, wrong } from './finding.ts';

const { SLACK_BOT_TOKEN, SLACK_CHANNEL, SLACK_API_URL } = settings;

/** The token, its scope to write, and whether the channel can be read: what reading needs, posting needs as well. */
export async function checkSlack(env: Env): Promise<Finding[]> {
  const shape = { SLACK_BOT_TOKEN, SLACK_CHANNEL, SLACK_API_URL };
  const read = settingsOf('Slack', shape, ['SLACK_BOT_TOKEN', 'SLACK_CHANNEL'], env);
  if ('findings' in read) return read.findings;
  const { config } = read;
  const client = slackClient(config.SLACK_BOT_TOKEN, config.SLACK_API_URL);
  const findings: Finding[] = [];
  try {
    const { team, user, response_metadata } = await client.auth.test();
    const scopes = response_metadata?.scopes;
    if (scopes && !scopes.includes('chat:write')) {
      const fix = 'Give the Slack app the scope chat:write and install it again.';
      return [wrong('Slack', 'the token may not post: chat:write is missing', fix)];
    }
    findings.push(ok('Slack', `the token of ${user ?? 'the app'} in ${team ?? 'the workspace'}`));
  } catch (error) {
    return [failed('Slack', error)];
  }
  try {
    await client.conversations.history({ channel: config.SLACK_CHANNEL ?? '', limit: 1 });
    findings.push(ok('Slack channel', `${config.SLACK_CHANNEL} can be read`));
  } catch (error) {
    findings.push(failed('Slack channel', error));
  }
  return findings;
}

/** Slack's client, which asks once and says nothing by itself. */
export function slackClient(token: string | undefined, slackApiUrl: string): WebClient {
  return new WebClient(token, {
    slackApiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: PATIENCE_MS,
    allowAbsoluteUrls: false,
    logLevel: LogLevel.ERROR,
    logger: SILENT,
  });
}

function failed(check: string, error: unknown): Finding {
  const failure = classifySlackError(error);
  const fix =
    failure.kind === 'misconfigured'
      ? failure.fix
      : 'Check SLACK_API_URL and whether this machine gets out to Slack, and try again.';
  return wrong(check, failure.reason, fix);
}

function nothing(): void {}
/** Slack's client would write to the console. */
const SILENT = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  setLevel: nothing,
  getLevel: () => LogLevel.ERROR,
  setName: nothing,
};
