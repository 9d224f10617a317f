import {
  type KnownBlock,
  LogLevel,
  type Logger as SlackLogger,
  type WebAPICallResult,
  WebClient,
} from '@slack/web-api';
import type { Logger } from '@cordon/service';
import { slackFetch } from './slack-fetch.ts';
import { classifySlackError, type SlackFailure } from './slack-failure.ts';

/** What a message shows: blocks, and the same in short for notifications and screen readers. */
export type SlackContent = {
  text: string;
  blocks?: KnownBlock[];
  /** Of a reply: it cannot wait, and the channel shows it as well. */ loud?: boolean;
};
/** How we recognize a message of ours. Anybody in the channel can read it. */
export type SlackMark = { notificationId: string; incidentId: string };

/** A call failed; `failure` says what became of it. */
export class SlackCallError extends Error {
  override readonly name = 'SlackCallError';
  readonly failure: SlackFailure;
  constructor(method: string, failure: SlackFailure, cause: unknown) {
    super(`${method}: ${failure.reason}`, { cause });
    this.failure = failure;
  }
}

/** The one channel that is told. Every failure is a `SlackCallError`. */
export interface Slack {
  readonly channel: string;
  /** Posts, into a thread where one is named, and returns the message's `ts`. */
  post(content: SlackContent, mark: SlackMark | undefined, threadTs?: string): Promise<string>;
  update(ts: string, content: SlackContent, mark: SlackMark): Promise<void>;
  /** The `ts` of a message of ours with this mark that was posted around then, if there is one. */
  find(mark: SlackMark, around: { from: Date; to: Date }, threadTs?: string): Promise<string | undefined>;
}

export const SLACK_TIMEOUT_MS = 10_000;
const CLOCK_SKEW_MS = 30_000;
/** Apps that are distributed outside of Slack's marketplace get no more per call. */
const PAGE = 15;
const PAGES_MAX = 20;

/** Slack's Web API. Retrying belongs to the broker, which outlives this process. */
export function connectSlack(options: { token: string; channel: string; apiUrl: string; log: Logger }): Slack {
  const { token, channel, apiUrl, log } = options;
  const client = new WebClient(token, {
    slackApiUrl: apiUrl,
    fetch: slackFetch,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: SLACK_TIMEOUT_MS,
    allowAbsoluteUrls: false,
    logger: quietly(log),
  });
  let botId: string | undefined;

  async function ownBotId(): Promise<string | undefined> {
    botId ??= (await call('auth.test', () => client.auth.test())).bot_id;
    return botId;
  }

  /** Blocks and metadata go as the text that they become: the client copies objects once more, for a log nobody reads. */
  function write(
    method: 'chat.postMessage' | 'chat.update',
    { text, blocks }: SlackContent,
    mark: SlackMark | undefined,
    more: Record<string, unknown>,
  ): Promise<WebAPICallResult> {
    const message = {
      channel,
      text,
      ...(blocks && { blocks: JSON.stringify(blocks) }),
      ...(mark && { metadata: JSON.stringify(metadataOf(mark)) }),
      link_names: false,
      parse: 'none',
      ...more,
    };
    return call(method, () => client.apiCall(method, message));
  }

  return {
    channel,

    async post({ loud, ...content }, mark, threadTs) {
      const answer = await write('chat.postMessage', content, mark, {
        ...(threadTs !== undefined && { thread_ts: threadTs, ...(loud && { reply_broadcast: true }) }),
        unfurl_links: false,
        unfurl_media: false,
      });
      if (!('ts' in answer) || typeof answer.ts !== 'string')
        throw new SlackCallError('chat.postMessage', { kind: 'unknown', reason: 'no ts' }, undefined);
      return answer.ts;
    },

    update: async (ts, content, mark) => void (await write('chat.update', content, mark, { ts })),

    async find(mark, { from, to }, threadTs) {
      const own = await ownBotId();
      const range = {
        channel,
        oldest: seconds(from.getTime() - CLOCK_SKEW_MS),
        latest: seconds(to.getTime() + CLOCK_SKEW_MS),
        inclusive: true,
        include_all_metadata: true,
        limit: PAGE,
      };
      let cursor: string | undefined;
      for (let page = 0; page < PAGES_MAX; page++) {
        const at = { ...range, ...(cursor !== undefined && { cursor }) };
        const reply =
          threadTs === undefined
            ? await call('conversations.history', () => client.conversations.history(at))
            : await call('conversations.replies', () => client.conversations.replies({ ...at, ts: threadTs }));
        for (const message of reply.messages ?? []) {
          if (own !== undefined && message.bot_id === own && isMarked(message.metadata, mark)) return message.ts;
        }
        cursor = reply.response_metadata?.next_cursor;
        if (!cursor) return undefined;
      }
      return undefined;
    },
  };
}

const EVENT_TYPE = 'cordon_notification';

function metadataOf({ notificationId, incidentId }: SlackMark) {
  return { event_type: EVENT_TYPE, event_payload: { notification_id: notificationId, incident_id: incidentId } };
}

function isMarked(metadata: { event_type?: string; event_payload?: object } | undefined, mark: SlackMark): boolean {
  const payload = metadata?.event_payload;
  if (metadata?.event_type !== EVENT_TYPE || !payload) return false;
  return 'notification_id' in payload && payload.notification_id === mark.notificationId;
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(6);
}

async function call<T>(method: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw new SlackCallError(method, classifySlackError(error), error);
  }
}

/** Slack's client would write to the console. What fails is reported by whoever called. */
function quietly(log: Logger): SlackLogger {
  const write = (...message: unknown[]): void => log.debug({ slack: message.map(String).join(' ') }, 'slack client');
  return {
    debug: () => {},
    info: () => {},
    warn: write,
    error: write,
    setLevel: () => {},
    getLevel: () => LogLevel.WARN,
    setName: () => {},
  };
}
