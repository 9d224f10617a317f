import { z } from 'zod';
import { parseBlocks, type Block } from './block-kit.ts';
import { persisted } from './persisted.ts';
import { SLACK_TEAM } from './slack-people.ts';

const Metadata = z.strictObject({
  event_type: z.string().min(1).max(255),
  event_payload: z.record(z.string(), z.json()),
});
export type SlackMetadata = z.infer<typeof Metadata>;

/** What a message said at one time: as posted, then once more for each update. */
export interface SlackRevision {
  at: string;
  text: string;
  blocks: Block[];
  metadata?: SlackMetadata | undefined;
}

export interface SlackReply extends SlackRevision {
  ts: string;
  unfurlLinks: boolean | undefined;
  unfurlMedia: boolean | undefined;
  updateCount: number;
  revisions: SlackRevision[];
}

/** A message of the channel with its thread; its text and blocks are those of the latest revision. */
export interface SlackMessage extends SlackReply {
  replies: SlackReply[];
}

interface StoredMessage {
  ts: string;
  threadTs?: string;
  unfurlLinks?: boolean | undefined;
  unfurlMedia?: boolean | undefined;
  first: SlackRevision;
  updates: SlackRevision[];
}

/** A reply of Slack's Web API. */
export type SlackResult = { ok: boolean } & Record<string, unknown>;

/** The form of a call: Slack's client sends every argument as text, objects as JSON. */
export type SlackArguments = Record<string, string>;

const USER = 'U0CORDON';
export const BOT = 'B0CORDON';
export const APP = 'A0CORDON';
const MOST_TEXT = 40_000;

export const refuse = (error: string, messages: string[] = []): SlackResult => ({
  ok: false,
  error,
  ...(messages.length > 0 && { response_metadata: { messages } }),
});

/** One workspace with one channel: the methods of the Web API without the HTTP around them. */
export function createWorkspace(channel: string, channelName: string, stateFile: string | undefined) {
  const initial: { lastMicros: number; messages: StoredMessage[] } = { lastMicros: 0, messages: [] };
  const state = persisted(stateFile, initial);
  const byTs = new Map(state.value.messages.map((message) => [message.ts, message]));

  const nextTs = (): string => {
    state.value.lastMicros = Math.max(Date.now() * 1_000, state.value.lastMicros + 1);
    const digits = String(state.value.lastMicros);
    return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
  };
  const latest = (message: StoredMessage): SlackRevision => message.updates.at(-1) ?? message.first;
  const repliesTo = (ts: string): StoredMessage[] => state.value.messages.filter(({ threadTs }) => threadTs === ts);

  const onTheWire = (message: StoredMessage, withMetadata: boolean): Record<string, unknown> => {
    const { text, blocks, metadata } = latest(message);
    const edit = message.updates.at(-1);
    const replies = message.threadTs === undefined ? repliesTo(message.ts) : [];
    return {
      type: 'message',
      user: USER,
      bot_id: BOT,
      app_id: APP,
      team: SLACK_TEAM.id,
      ts: message.ts,
      text,
      blocks,
      ...(message.threadTs !== undefined && { thread_ts: message.threadTs, parent_user_id: USER }),
      ...(replies.length > 0 && {
        thread_ts: message.ts,
        reply_count: replies.length,
        latest_reply: replies.at(-1)?.ts,
      }),
      ...(edit && { edited: { user: USER, ts: `${Math.floor(Date.parse(edit.at) / 1_000)}.000000` } }),
      ...(withMetadata && metadata && { metadata }),
    };
  };

  const page = (messages: StoredMessage[], form: SlackArguments): SlackResult => {
    const limit = Number(form['limit'] ?? 100);
    if (!Number.isInteger(limit) || limit < 1 || limit > 999) return refuse('invalid_limit');
    const start = form['cursor'] ? messages.findIndex(({ ts }) => ts === form['cursor']) : 0;
    if (start === -1) return refuse('invalid_cursor');
    const next = messages[start + limit];
    return {
      ok: true,
      messages: messages
        .slice(start, start + limit)
        .map((message) => onTheWire(message, form['include_all_metadata'] === 'true')),
      has_more: next !== undefined,
      ...(next && { response_metadata: { next_cursor: next.ts } }),
    };
  };

  const methods: Record<string, (form: SlackArguments) => SlackResult> = {
    'auth.test': () => ({
      ok: true,
      url: 'https://sandbox.slack.example/',
      team: 'Sandbox',
      user: 'cordon',
      team_id: SLACK_TEAM.id,
      user_id: USER,
      bot_id: BOT,
    }),
    'chat.postMessage': (form) => {
      const threadTs = form['thread_ts'];
      const root = threadTs === undefined ? undefined : byTs.get(threadTs);
      if (threadTs !== undefined && (!root || root.threadTs !== undefined)) return refuse('thread_not_found');
      const content = readContent(form);
      if ('ok' in content) return content;
      const message: StoredMessage = {
        ts: nextTs(),
        ...(threadTs !== undefined && { threadTs }),
        unfurlLinks: readBoolean(form['unfurl_links']),
        unfurlMedia: readBoolean(form['unfurl_media']),
        first: content,
        updates: [],
      };
      state.value.messages.push(message);
      byTs.set(message.ts, message);
      state.save();
      const truncated = (form['text'] ?? '').length > MOST_TEXT;
      return {
        ok: true,
        channel,
        ts: message.ts,
        message: onTheWire(message, true),
        ...(truncated && { response_metadata: { warnings: ['message_truncated'] } }),
      };
    },
    'chat.update': (form) => {
      const message = byTs.get(form['ts'] ?? '');
      if (!message) return refuse('message_not_found');
      const content = readContent(form, latest(message));
      if ('ok' in content) return content;
      message.updates.push(content);
      state.save();
      return { ok: true, channel, ts: message.ts, text: content.text, message: onTheWire(message, true) };
    },
    'conversations.history': (form) => {
      const chosen = within(form);
      if (typeof chosen !== 'function') return chosen;
      const roots = state.value.messages.filter(({ threadTs }) => threadTs === undefined);
      return page(roots.filter(chosen).toReversed(), form);
    },
    'conversations.replies': (form) => {
      const root = byTs.get(form['ts'] ?? '');
      if (!root || root.threadTs !== undefined) return refuse('thread_not_found');
      const chosen = within(form);
      if (typeof chosen !== 'function') return chosen;
      return page([root, ...repliesTo(root.ts).filter(chosen)], form);
    },
    'conversations.info': () => ({
      ok: true,
      channel: { id: channel, name: channelName, is_channel: true, is_archived: false, is_member: true },
    }),
  };

  const show = (message: StoredMessage): SlackReply => ({
    ...latest(message),
    at: message.first.at,
    ts: message.ts,
    unfurlLinks: message.unfurlLinks,
    unfurlMedia: message.unfurlMedia,
    updateCount: message.updates.length,
    revisions: [message.first, ...message.updates],
  });

  return {
    call(method: string, form: SlackArguments): SlackResult {
      const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (!run) return refuse('unknown_method');
      if (method !== 'auth.test' && form['channel'] !== channel) return refuse('channel_not_found');
      return run(form);
    },
    version: () => state.value.messages.map(({ ts, updates }) => [ts, updates.length]),
    /** A message by its `ts`, also as an interaction carries it. */
    find(ts: string): { blocks: Block[]; wire: object } | undefined {
      const message = byTs.get(ts);
      return message && { blocks: latest(message).blocks, wire: onTheWire(message, true) };
    },
    messages: (): SlackMessage[] =>
      state.value.messages
        .filter(({ threadTs }) => threadTs === undefined)
        .map((root) => ({ ...show(root), replies: repliesTo(root.ts).map(show) })),
  };
}

export type SlackWorkspace = ReturnType<typeof createWorkspace>;

/** What posting and updating share. An update keeps the blocks and metadata that it does not name. */
function readContent(form: SlackArguments, before?: SlackRevision): SlackRevision | SlackResult {
  const parsed = form['blocks'] === undefined ? undefined : parseBlocks(form['blocks']);
  if (parsed && !parsed.ok) return refuse(parsed.error, parsed.messages);
  const metadata = readMetadata(form['metadata']);
  if (metadata === 'invalid') return refuse('invalid_metadata_format');
  const blocks = parsed?.blocks ?? before?.blocks ?? [];
  const text = form['text'] ?? '';
  if (text === '' && blocks.length === 0) return refuse('no_text');
  return {
    at: new Date().toISOString(),
    text: text.slice(0, MOST_TEXT),
    blocks,
    metadata: metadata ?? before?.metadata,
  };
}

function within(form: SlackArguments): ((message: StoredMessage) => boolean) | SlackResult {
  const oldest = micros(form['oldest'] ?? '0');
  const newest = form['latest'] === undefined ? Infinity : micros(form['latest']);
  if (oldest === undefined) return refuse('invalid_ts_oldest');
  if (newest === undefined) return refuse('invalid_ts_latest');
  const inclusive = form['inclusive'] === 'true' || form['inclusive'] === '1';
  return ({ ts }) => {
    const at = micros(ts) ?? 0;
    return inclusive ? oldest <= at && at <= newest : oldest < at && at < newest;
  };
}

/** As a number of microseconds: exact, where the decimal seconds would lose digits. */
function micros(ts: string): number | undefined {
  const [, seconds, fraction = ''] = /^(\d{1,10})(?:\.(\d{1,6}))?$/.exec(ts) ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1_000_000 + Number(fraction.padEnd(6, '0'));
}

function readMetadata(json: string | undefined): SlackMetadata | undefined | 'invalid' {
  if (json === undefined) return undefined;
  return Metadata.safeParse(readJson(json)).data ?? 'invalid';
}

export function readJson(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? '');
  } catch {
    return undefined;
  }
}

function readBoolean(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text === 'true' || text === '1';
}
