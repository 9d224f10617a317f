import { line, link, mrkdwn, richText, richTextOf, SENTENCE_MAX } from '@cordon/text';
import { type Logger, LogLevel, type ModalView, WebClient } from '@slack/web-api';

/** What answering people in Slack needs of it. Everything throws what went wrong. */
export interface SlackApi {
  openModal(triggerId: string, view: ModalView): Promise<void>;
  updateModal(viewId: string, view: ModalView): Promise<void>;
  /** A message that only who pressed sees. */
  whisper(responseUrl: string, message: string, pageUrl: string): Promise<void>;
}

const TIMEOUT_MS = 5_000;
/** Where Slack has its response addresses. */
const HOOKS = 'https://hooks.slack.com';

const nothing = (): void => {};
/** Slack's clients would write to the console. What fails is reported by whoever called. */
export const silent: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  setLevel: nothing,
  getLevel: () => LogLevel.ERROR,
  setName: nothing,
};
/** A modal opens within three seconds or not at all: nothing is tried twice. */
export const clientOptions = (apiUrl: string) => ({
  slackApiUrl: apiUrl,
  retryConfig: { retries: 0 },
  rejectRateLimitedCalls: true,
  timeout: TIMEOUT_MS,
  allowAbsoluteUrls: false,
});

export function slackApi({ token, apiUrl }: { token: string; apiUrl: string }): SlackApi {
  const client = new WebClient(token, { ...clientOptions(apiUrl), logger: silent });
  const origins = new Set([HOOKS, new URL(apiUrl).origin]);
  return {
    async openModal(trigger_id, view) {
      await client.views.open({ trigger_id, view });
    },
    async updateModal(view_id, view) {
      await client.views.update({ view_id, view });
    },
    async whisper(responseUrl, message, pageUrl) {
      if (!origins.has(new URL(responseUrl).origin)) throw new Error('the response address is not one of Slack');
      const response = await fetch(responseUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          response_type: 'ephemeral',
          replace_original: false,
          text: mrkdwn(message, SENTENCE_MAX),
          blocks: [richText([...line(richTextOf(message, SENTENCE_MAX)), link(pageUrl, 'Open the page')])],
        }),
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!response.ok) throw new Error(`the response address answered ${response.status}`);
    },
  };
}
