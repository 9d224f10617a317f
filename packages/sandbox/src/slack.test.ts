import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogLevel, WebClient, type Logger } from '@slack/web-api';
import { expect, test } from 'vitest';
import { startSlack, type Slack, type SlackFault, type SlackOptions } from './slack.ts';

const channel = 'C0ALERTS';
const start = (options: Partial<SlackOptions> = {}): Promise<Slack> =>
  startSlack({ token: 'xoxb-sandbox', channel, ...options });

const nothing = (): void => undefined;
const silent: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  setLevel: nothing,
  setName: nothing,
  getLevel: () => LogLevel.ERROR,
};

/** Patient, but where what never answers is waited for. */
function clientOf(slack: Slack, token = 'xoxb-sandbox', timeout = 10_000): WebClient {
  return new WebClient(token, {
    slackApiUrl: slack.apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout,
    logger: silent,
  });
}

const section = (text: string) => ({ type: 'section' as const, text: { type: 'mrkdwn' as const, text } });

test('keeps a message, its thread and every revision', async () => {
  await using slack = await start();
  const client = clientOf(slack);
  const root = await client.chat.postMessage({
    channel,
    text: 'Isolate WS-42?',
    blocks: [section('*Isolate* WS-42?')],
    metadata: { event_type: 'cordon', event_payload: { id: 'n1' } },
    unfurl_links: false,
    unfurl_media: false,
  });
  const ts = root.ts ?? '';
  await client.chat.postMessage({ channel, text: 'Machine not isolated.', thread_ts: ts });
  await client.chat.update({ channel, ts, text: 'Decided', blocks: [section('Decided')] });
  await client.chat.update({ channel, ts, text: 'Closed' });

  const [message] = slack.messages();
  expect(message).toMatchObject({
    ts,
    text: 'Closed',
    blocks: [section('Decided')],
    metadata: { event_type: 'cordon' },
    unfurlLinks: false,
    unfurlMedia: false,
    updateCount: 2,
    replies: [{ text: 'Machine not isolated.', updateCount: 0 }],
  });
  expect(message?.revisions.map(({ text }) => text)).toEqual(['Isolate WS-42?', 'Decided', 'Closed']);
  expect(await (await fetch(new URL('/_control/messages', slack.apiUrl))).json()).toEqual(
    JSON.parse(JSON.stringify(slack.messages())),
  );
});

test('gives every message a later timestamp and pages through them, newest first', async () => {
  await using slack = await start();
  const client = clientOf(slack);
  const posted: string[] = [];
  for (const text of ['one', 'two', 'three']) posted.push((await client.chat.postMessage({ channel, text })).ts ?? '');
  expect(posted).toEqual(posted.toSorted());
  expect(new Set(posted).size).toBe(3);

  const first = await client.conversations.history({ channel, limit: 2 });
  expect(first.messages?.map(({ text }) => text)).toEqual(['three', 'two']);
  expect(first.has_more).toBe(true);
  const cursor = first.response_metadata?.next_cursor ?? '';
  const second = await client.conversations.history({ channel, limit: 2, cursor });
  expect(second.messages?.map(({ text }) => text)).toEqual(['one']);

  const oldest = posted[1] ?? '';
  const later = await client.conversations.history({ channel, oldest });
  expect(later.messages?.map(({ text }) => text)).toEqual(['three']);
  const fromThere = await client.conversations.history({ channel, oldest, inclusive: true });
  expect(fromThere.messages?.map(({ text }) => text)).toEqual(['three', 'two']);
});

test('tells metadata only to those who ask, and reads a thread by its root', async () => {
  await using slack = await start();
  const client = clientOf(slack);
  const metadata = { event_type: 'cordon', event_payload: { id: 'n2' } };
  const ts = (await client.chat.postMessage({ channel, text: 'root' })).ts ?? '';
  const reply = await client.chat.postMessage({ channel, text: 'reply', thread_ts: ts, metadata });

  const plain = await client.conversations.replies({ channel, ts });
  expect(plain.messages?.map(({ text, metadata }) => [text, metadata])).toEqual([
    ['root', undefined],
    ['reply', undefined],
  ]);
  const full = await client.conversations.replies({ channel, ts, include_all_metadata: true });
  expect(full.messages?.[1]?.metadata).toEqual(metadata);
  expect(full.messages?.[1]?.bot_id).toBe((await client.auth.test()).bot_id);

  const history = await client.conversations.history({ channel });
  expect(history.messages).toMatchObject([{ text: 'root', reply_count: 1, latest_reply: reply.ts }]);
  await expect(client.chat.postMessage({ channel, text: 'x', thread_ts: reply.ts ?? '' })).rejects.toThrow(
    'thread_not_found',
  );
  await expect(client.conversations.replies({ channel, ts: '1.2' })).rejects.toThrow('thread_not_found');
});

test.for<[error: string, call: (client: WebClient) => Promise<unknown>]>([
  ['channel_not_found', (client) => client.chat.postMessage({ channel: '#alerts', text: 'x' })],
  ['no_text', (client) => client.chat.postMessage({ channel, text: '' })],
  ['message_not_found', (client) => client.chat.update({ channel, ts: '1.2', text: 'x' })],
  ['unknown_method', (client) => client.apiCall('chat.scream', { channel })],
  ['invalid_blocks', (client) => client.chat.postMessage({ channel, text: 'x', blocks: [section('x'.repeat(3001))] })],
  ['invalid_blocks', (client) => client.chat.postMessage({ channel, text: 'x', blocks: [section('')] })],
  [
    'invalid_blocks',
    (client) => client.chat.postMessage({ channel, text: 'x', blocks: Array.from({ length: 51 }, () => section('x')) }),
  ],
  [
    'invalid_blocks',
    (client) =>
      client.chat.postMessage({
        channel,
        text: 'x',
        blocks: [
          { ...section('x'), block_id: 'same' },
          { ...section('y'), block_id: 'same' },
        ],
      }),
  ],
  [
    'msg_blocks_too_long',
    (client) =>
      client.chat.postMessage({
        channel,
        text: 'x',
        blocks: Array.from({ length: 4 }, () => section('x'.repeat(2_900))),
      }),
  ],
])('refuses with %s', async ([error, call]) => {
  await using slack = await start();
  await expect(call(clientOf(slack))).rejects.toThrow(`An API error occurred: ${error}`);
  expect(slack.messages()).toEqual([]);
});

test('refuses a wrong token', async () => {
  await using slack = await start();
  await expect(clientOf(slack, 'xoxb-stolen').auth.test()).rejects.toThrow('invalid_auth');
});

test.for<[fault: SlackFault, code: string]>([
  [{ kind: 'rate-limited', retryAfterSeconds: 7 }, 'slack_webapi_rate_limited_error'],
  [{ kind: 'server-error' }, 'slack_webapi_http_error'],
  [{ kind: 'reset' }, 'slack_webapi_request_error'],
  [{ kind: 'down' }, 'slack_webapi_request_error'],
  [{ kind: 'hang' }, 'slack_webapi_request_error'],
  [{ kind: 'html' }, 'slack_webapi_platform_error'],
  [{ kind: 'error', error: 'is_archived' }, 'slack_webapi_platform_error'],
])('the client sees %o as %s, and nothing or the one message is stored', async ([fault, code]) => {
  await using slack = await start();
  const client = clientOf(slack, 'xoxb-sandbox', fault.kind === 'hang' ? 500 : 10_000);
  for (const stored of [false, true]) {
    slack.faults.add({ ...fault, stored, times: 1 });
    await expect(client.chat.postMessage({ channel, text: 'x' })).rejects.toMatchObject({ code });
    expect(slack.messages()).toHaveLength(stored ? 1 : 0);
  }
  await clientOf(slack).chat.postMessage({ channel, text: 'after the faults' });
  expect(slack.messages()).toHaveLength(2);
});

test('can stop in the middle of a reply, and leave out how long to wait', async () => {
  await using slack = await start();
  const client = clientOf(slack, 'xoxb-sandbox', 500);
  slack.faults.add({ kind: 'stalled-body', stored: true, times: 1 });
  await expect(client.chat.postMessage({ channel, text: 'x' })).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(slack.messages()).toHaveLength(1);
  slack.faults.add({ kind: 'rate-limited', times: 1 });
  await expect(client.chat.postMessage({ channel, text: 'x' })).rejects.toThrow('Retry');
});

test('faults hit the method and the number of calls they name, also when set over HTTP', async () => {
  await using slack = await start();
  const client = clientOf(slack);
  const control = (path: string, body: unknown) =>
    fetch(new URL(`/_control/${path}`, slack.apiUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  expect((await control('faults', { kind: 'error', error: 'fatal_error', method: 'chat.update', times: 2 })).ok).toBe(
    true,
  );
  const ts = (await client.chat.postMessage({ channel, text: 'untouched' })).ts ?? '';
  await expect(client.chat.update({ channel, ts, text: 'x' })).rejects.toThrow('fatal_error');
  expect(slack.faults.list()).toMatchObject([{ times: 1 }]);
  await control('faults/clear', {});
  await client.chat.update({ channel, ts, text: 'now it works' });

  expect((await control('faults', { kind: 'no such fault' })).status).toBe(400);
  expect(slack.calls.map(({ method, fault }) => [method, fault?.kind])).toEqual([
    ['chat.postMessage', undefined],
    ['chat.update', 'error'],
    ['chat.update', undefined],
  ]);
});

test('a restart keeps the messages and goes on counting', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cordon-slack-'));
  try {
    const stateFile = join(folder, 'slack.json');
    {
      await using slack = await start({ stateFile });
      await clientOf(slack).chat.postMessage({ channel, text: 'before' });
    }
    await using slack = await start({ stateFile });
    await clientOf(slack).chat.postMessage({ channel, text: 'after' });
    const [before, after] = slack.messages();
    expect([before?.text, after?.text]).toEqual(['before', 'after']);
    expect(Number(after?.ts)).toBeGreaterThan(Number(before?.ts));
  } finally {
    await rm(folder, { recursive: true });
  }
});
