import { createServer } from 'node:http';
import { type Slack as Workspace, startSlack } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { expect, test } from 'vitest';
import type { SlackFailure } from './slack-failure.ts';
import { connectSlack, SlackCallError } from './slack.ts';
import { SLACK_CHANNEL, SLACK_TOKEN } from './testing.ts';

const log = createLogger('notifier', 'silent');
const MARK = { notificationId: 'n'.repeat(32), incidentId: 'i'.repeat(32) };
const startWorkspace = (): Promise<Workspace> => startSlack({ token: SLACK_TOKEN, channel: SLACK_CHANNEL });
const connectTo = ({ apiUrl }: { apiUrl: string }, more: { token?: string; channel?: string } = {}) =>
  connectSlack({ token: SLACK_TOKEN, channel: SLACK_CHANNEL, apiUrl, log, ...more });
const around = () => ({ from: new Date(Date.now() - 1000), to: new Date() });

async function failureOf(act: Promise<unknown>): Promise<SlackFailure> {
  const error = await act.then(
    () => new Error('it worked'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SlackCallError)) throw error;
  return error.failure;
}

test.each([
  [
    { kind: 'rate-limited', retryAfterSeconds: 7 },
    { kind: 'not_done', reason: 'ratelimited', retryAfterMs: 7000 },
  ],
  [{ kind: 'rate-limited' }, { kind: 'unknown' }],
  [{ kind: 'server-error' }, { kind: 'unknown' }],
  [{ kind: 'reset' }, { kind: 'unknown' }],
  [{ kind: 'html' }, { kind: 'unknown', reason: 'not an answer of Slack' }],
  [
    { kind: 'error', error: 'internal_error' },
    { kind: 'unknown', reason: 'internal_error' },
  ],
  [
    { kind: 'error', error: 'invalid_blocks' },
    { kind: 'refused', reason: 'invalid_blocks' },
  ],
  [
    { kind: 'error', error: 'is_archived' },
    { kind: 'misconfigured', reason: 'is_archived' },
  ],
] as const)('%j is %j', async (fault, failure) => {
  await using workspace = await startWorkspace();
  workspace.faults.add(fault);
  expect(await failureOf(connectTo(workspace).post({ text: 'x' }, MARK))).toMatchObject(failure);
});

test('an answer that stalls is unknown, and is waited for no longer than the timeout', async () => {
  await using workspace = await startWorkspace();
  workspace.faults.add({ kind: 'stalled-body', stored: true });
  const before = Date.now();
  expect(await failureOf(connectTo(workspace).post({ text: 'x' }, MARK))).toMatchObject({ kind: 'unknown' });
  expect(Date.now() - before).toBeLessThan(15_000);
});

test('nobody there: certainly not done', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  const apiUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/api/`;
  expect(await failureOf(connectTo({ apiUrl }).post({ text: 'x' }, MARK))).toEqual({
    kind: 'not_done',
    reason: 'ECONNREFUSED',
  });
});

test('a wrong token or channel is a matter of configuration', async () => {
  await using workspace = await startWorkspace();
  expect(await failureOf(connectTo(workspace, { token: 'xoxb-other' }).post({ text: 'x' }, MARK))).toMatchObject({
    kind: 'misconfigured',
  });
  expect(await failureOf(connectTo(workspace, { channel: 'C0OTHER' }).post({ text: 'x' }, MARK))).toMatchObject({
    kind: 'misconfigured',
  });
});

test('finds its own message in the channel and in a thread, on a later page as well', async () => {
  await using workspace = await startWorkspace();
  const slack = connectTo(workspace);
  const root = await slack.post({ text: 'root' }, MARK);
  const reply = { ...MARK, notificationId: 'r'.repeat(32) };
  const replyTs = await slack.post({ text: 'reply' }, reply, root);
  for (let n = 0; n < 40; n++) await slack.post({ text: `later ${n}` }, { ...MARK, notificationId: String(n) });
  expect(await slack.find(MARK, around())).toBe(root);
  expect(await slack.find(reply, around(), root)).toBe(replyTs);
  expect(await slack.find(reply, around())).toBeUndefined();
  const longAgo = { from: new Date(Date.now() - 7_200_000), to: new Date(Date.now() - 3_600_000) };
  expect(await slack.find(MARK, longAgo)).toBeUndefined();
});

test('does not fall for the same mark on the message of another app', async () => {
  const forged = {
    ts: '1700000000.000100',
    bot_id: 'B0OTHER',
    metadata: { event_type: 'cordon_notification', event_payload: { notification_id: MARK.notificationId } },
  };
  const server = createServer((request, response) => {
    const answer = request.url?.endsWith('auth.test') ? { bot_id: 'B0CORDON' } : { messages: [forged] };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ok: true, ...answer }));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const apiUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/api/`;
  expect(await connectTo({ apiUrl }).find(MARK, around())).toBeUndefined();
  server.closeAllConnections();
  server.close();
});
