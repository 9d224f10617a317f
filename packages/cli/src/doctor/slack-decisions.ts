import { settings } from '@cordon/approval/src/config.ts';
import { classifySlackError } from '@cordon/notifier/src/slack-failure.ts';
import { loadPolicy, PolicyError } from '@cordon/policy';
import { type Env, type Finding, ok, readSettings, wrong } from './finding.ts';
import { slackClient } from './slack.ts';

const { PUBLIC_URL, POLICY_FILE } = settings;
const { SLACK_SIGNING_SECRET, SLACK_APP_TOKEN, SLACK_BOT_TOKEN, SLACK_API_URL } = settings;
const SHAPE = { SLACK_SIGNING_SECRET, SLACK_APP_TOKEN, SLACK_BOT_TOKEN, SLACK_API_URL, POLICY_FILE };
const CHECK = 'Slack decisions';

/** Whether people can decide in Slack, as far as it can be seen from here, and whether the policy lets them. */
export async function checkSlackDecisions(env: Env): Promise<Finding[]> {
  const read = readSettings(CHECK, { ...SHAPE, PUBLIC_URL: PUBLIC_URL.optional() }, env);
  if ('findings' in read) return read.findings;
  const { config } = read;
  const { SLACK_SIGNING_SECRET: secret, SLACK_APP_TOKEN: appToken, SLACK_BOT_TOKEN: botToken } = config;
  const isAllowed = hasButtons(config.POLICY_FILE);
  if (secret === undefined && appToken === undefined) {
    if (!isAllowed) return [{ check: CHECK, status: 'off', says: 'not configured: people decide on the page' }];
    const says = 'the policy lets people decide in Slack, but nothing hears them: they decide on the page';
    const fix =
      'Set SLACK_SIGNING_SECRET, or SLACK_APP_TOKEN for Socket Mode, or take `slack: buttons` from the policy.';
    return [wrong(CHECK, says, fix)];
  }
  if (botToken === undefined) {
    const fix = 'Set SLACK_BOT_TOKEN, or leave out SLACK_SIGNING_SECRET and SLACK_APP_TOKEN.';
    return [wrong(CHECK, 'half configured: SLACK_BOT_TOKEN, which opens the question, is not set', fix)];
  }
  if (appToken !== undefined) {
    try {
      await slackClient(appToken, config.SLACK_API_URL).apps.connections.open({});
    } catch (error) {
      const { kind, reason } = classifySlackError(error);
      const fix =
        kind === 'misconfigured'
          ? 'Turn on Socket Mode in the Slack app, and put an app-level token with connections:write into SLACK_APP_TOKEN.'
          : 'Check SLACK_API_URL and whether this machine gets out to Slack, and try again.';
      return [wrong(CHECK, reason, fix)];
    }
  }
  if (!isAllowed) return [{ check: CHECK, status: 'off', says: 'no tier of the policy has `slack: buttons`' }];
  const address = `${config.PUBLIC_URL ?? 'PUBLIC_URL'}/slack/interactions`;
  return [ok(CHECK, appToken === undefined ? `Slack has to report what is pressed to ${address}` : 'over a socket')];
}

/** A policy that cannot be read is reported by the check of the policy. */
function hasButtons(file: string | undefined): boolean {
  try {
    return loadPolicy(file).tiers.some(({ slack }) => slack === 'buttons');
  } catch (error) {
    if (error instanceof PolicyError) return false;
    throw error;
  }
}
