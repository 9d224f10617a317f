import { type Slack, startSlack } from '@cordon/sandbox';
import { createLogger } from '@cordon/service';
import { WebClient } from '@slack/web-api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { listenOnSocket } from './slack-socket.ts';

const appToken = 'xapp-of-the-tests';
const token = 'xoxb-of-the-tests';
const start = (): Promise<Slack> => startSlack({ token, appToken, channel: 'C0' });

async function button({ apiUrl }: Slack): Promise<string> {
  const element = {
    type: 'button' as const,
    action_id: 'decide',
    text: { type: 'plain_text' as const, text: 'Decide' },
  };
  const client = new WebClient(token, { slackApiUrl: apiUrl });
  const { ts } = await client.chat.postMessage({
    channel: 'C0',
    text: 'Isolate?',
    blocks: [{ type: 'actions', elements: [element] }],
  });
  return ts ?? '';
}

function listen({ apiUrl }: Slack, answer: (payload: unknown) => Promise<undefined>, given = appToken) {
  const lines: string[] = [];
  const log = createLogger('approval', 'info', { write: (line) => void lines.push(line) });
  const socket = listenOnSocket({ appToken: given, apiUrl, log }, answer);
  return {
    output: () => lines.join(''),
    close: () => socket.close(),
    [Symbol.asyncDispose]: () => socket.close(),
  };
}

test('what is pressed comes over the socket, again after Slack had it connect anew', async () => {
  await using slack = await start();
  const ts = await button(slack);
  const users: unknown[] = [];
  const socket = listen(slack, async (payload) => {
    users.push(z.object({ user: z.object({ id: z.string() }) }).parse(payload).user.id);
    return undefined;
  });
  await expect.poll(() => slack.sockets()).toBe(1);
  expect(await slack.press('U0ALICE', ts, 'decide')).toEqual({ ok: true });
  slack.refreshSockets();
  await expect.poll(() => socket.output().match(/listening to Slack/g)).toHaveLength(2);
  await expect.poll(() => slack.sockets()).toBe(1);
  expect(await slack.press('U0BOB', ts, 'decide')).toEqual({ ok: true });
  expect(users).toEqual(['U0ALICE', 'U0BOB']);
  await socket.close();
  await expect.poll(() => slack.sockets()).toBe(0);
});

test('Slack may be away at first, or have no socket for this token: it is tried again, and said', async () => {
  await using slack = await start();
  slack.faults.add({ kind: 'down', method: 'apps.connections.open', times: 1 });
  await using socket = listen(slack, async () => undefined);
  await expect.poll(() => slack.sockets()).toBe(1);
  expect(socket.output()).toContain('no socket to Slack');

  await using wrong = listen(slack, async () => undefined, 'xapp-stolen');
  await expect.poll(() => wrong.output()).toContain('invalid_auth');
  expect(wrong.output()).not.toContain('xapp-stolen');
});

test('an answer that fails ends nothing', async () => {
  await using slack = await start();
  const ts = await button(slack);
  let failed = false;
  await using socket = listen(slack, async () => {
    if (failed) return undefined;
    failed = true;
    throw new Error('out of order');
  });
  await expect.poll(() => slack.sockets()).toBe(1);
  expect(await slack.press('U0ALICE', ts, 'decide')).toMatchObject({ ok: false });
  expect(await slack.press('U0ALICE', ts, 'decide')).toEqual({ ok: true });
  expect(socket.output()).toContain('out of order');
});
