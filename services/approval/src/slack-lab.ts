import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Incident } from '@cordon/incident';
import { type Slack, startSlack } from '@cordon/sandbox';
import { LogLevel, WebClient } from '@slack/web-api';
import { stringify } from 'yaml';
import { APPROVERS, type Lab, personCalled, startLab, TERMS } from './page-lab.ts';

export const SIGNING_SECRET = 'signing-secret-of-the-tests';
const BOT_TOKEN = 'xoxb-of-the-tests';
const CHANNEL = 'C0ALERTS';
export const IN_SLACK = { ...TERMS, slackDecides: true };

/** The pages, and a workspace whose people press buttons. */
export interface SlackLab extends AsyncDisposable {
  readonly lab: Lab;
  readonly slack: Slack;
  /** Posts the button about an incident; returns the message. */
  post(incident: Incident): Promise<string>;
  /** Presses the button and waits for the modal; returns its id. */
  open(user: string, incident: Incident): Promise<string>;
  /** What the person reads in the modal, in one line. */
  shown(user: string): string;
}

const member = (name: string, groups: string[]) => {
  const { issuer, subject } = personCalled(name);
  return { subject, issuer, name, groups, email: `${subject}@example.com` };
};

/** Alice and Bob may decide; Guest is in another group, and Mallory works on the machine. */
const POLICY = {
  tiers: [{ name: 'all', slack: 'buttons' }],
  slack_users: {
    'T0SANDBOX/U0ALICE': member('Alice', [APPROVERS]),
    'T0SANDBOX/U0BOB': member('Bob', [APPROVERS]),
    'T0SANDBOX/U0GUEST': member('Guest', ['guests']),
    'T0SANDBOX/U0MALLORY': member('Mallory', [APPROVERS]),
  },
};

export async function startSlackLab(env: Record<string, string> = {}): Promise<SlackLab> {
  const folder = await mkdtemp(join(tmpdir(), 'cordon-slack-'));
  const policyFile = join(folder, 'policy.yaml');
  await writeFile(policyFile, stringify(POLICY));
  const slack = await startSlack({ token: BOT_TOKEN, channel: CHANNEL, signingSecret: SIGNING_SECRET });
  const lab = await startLab({
    SLACK_SIGNING_SECRET: SIGNING_SECRET,
    SLACK_BOT_TOKEN: BOT_TOKEN,
    SLACK_API_URL: slack.apiUrl,
    POLICY_FILE: policyFile,
    ...env,
  });
  slack.setInteractionsUrl(`${lab.url}/slack/interactions`);
  const client = new WebClient(BOT_TOKEN, { slackApiUrl: slack.apiUrl, logLevel: LogLevel.ERROR });

  const post: SlackLab['post'] = async ({ id }) => {
    const { ts } = await client.chat.postMessage({
      channel: CHANNEL,
      text: 'Isolate?',
      blocks: [
        {
          type: 'actions',
          elements: [
            { type: 'button', action_id: 'decide', value: id, text: { type: 'plain_text', text: 'Decide in Slack' } },
            {
              type: 'button',
              action_id: 'open_incident',
              url: `${lab.url}/approvals/${id}`,
              text: { type: 'plain_text', text: 'Review and decide' },
            },
          ],
        },
      ],
    });
    return ts ?? '';
  };

  return {
    lab,
    slack,
    post,
    async open(user, incident) {
      slack.dismiss(user);
      await slack.press(user, await post(incident), 'decide');
      return opened(slack, user);
    },
    shown: (user) => JSON.stringify(slack.views(user)[0]?.modal ?? null),
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]();
      await slack.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function opened(slack: Slack, user: string): Promise<string> {
  for (let waited = 0; waited < 500; waited++) {
    const [view] = slack.views(user);
    if (view) return view.id;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no modal: ${JSON.stringify(slack.ephemerals(user))}`);
}
