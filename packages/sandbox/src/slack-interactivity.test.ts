import { createServer } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { SocketModeClient } from '@slack/socket-mode';
import { LogLevel, WebClient, type Logger, type ModalView } from '@slack/web-api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { signSlack } from './slack-delivery.ts';
import { startSlack, type Slack } from './slack.ts';

const channel = 'C0ALERTS';
const token = 'xoxb-sandbox';
const signingSecret = 'test-signing-secret';
const appToken = 'xapp-sandbox';
const start = (): Promise<Slack> => startSlack({ token, channel, signingSecret, appToken });

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
const clientOf = ({ apiUrl }: Slack) =>
  new WebClient(token, { slackApiUrl: apiUrl, retryConfig: { retries: 0 }, logger: silent });

const Payload = z.looseObject({ type: z.string(), trigger_id: z.string(), response_url: z.string().optional() });
type Payload = z.infer<typeof Payload>;
type Heard = { headers: Record<string, string | string[] | undefined>; body: string; payload: Payload };

/** An app at an address: what it heard, and what it answers with. */
async function startApp(
  answer: (payload: Payload) => { status?: number; body?: string } | Promise<never> = () => ({}),
) {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      const payload = Payload.parse(JSON.parse(new URLSearchParams(body).get('payload') ?? ''));
      heard.push({ headers: request.headers, body, payload });
      const { status = 200, body: answered = '' } = await answer(payload);
      response.writeHead(status).end(answered);
    })();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no address');
  return {
    url: `http://127.0.0.1:${address.port}/slack/interactions`,
    heard,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function postQuestion(slack: Slack): Promise<string> {
  const { ts } = await clientOf(slack).chat.postMessage({
    channel,
    text: 'Isolate?',
    blocks: [
      {
        type: 'actions',
        block_id: 'answer',
        elements: [
          { type: 'button', action_id: 'decide', value: 'incident-1', text: { type: 'plain_text', text: 'Decide' } },
          {
            type: 'button',
            action_id: 'look',
            url: 'https://cordon.example/q/1',
            text: { type: 'plain_text', text: 'Look' },
          },
        ],
      },
    ],
  });
  return ts ?? '';
}

const modal: ModalView = {
  type: 'modal',
  title: { type: 'plain_text', text: 'Isolate?' },
  submit: { type: 'plain_text', text: 'Send' },
  private_metadata: 'digest',
  callback_id: 'decide',
  blocks: [
    { type: 'section', text: { type: 'mrkdwn', text: 'The *facts*' } },
    {
      type: 'input',
      block_id: 'choice',
      label: { type: 'plain_text', text: 'Isolate?' },
      element: {
        type: 'radio_buttons',
        action_id: 'choice',
        options: [
          { text: { type: 'plain_text', text: 'Yes' }, value: 'isolate' },
          { text: { type: 'plain_text', text: 'No' }, value: 'leave' },
        ],
      },
    },
    {
      type: 'input',
      block_id: 'reason',
      label: { type: 'plain_text', text: 'Reason' },
      element: { type: 'plain_text_input', action_id: 'reason', min_length: 5, max_length: 20 },
    },
  ],
};
const filled = { choice: 'isolate', reason: 'stolen passwords' };

test.for([
  [
    'test-signing-secret',
    '1760000000',
    'payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U1%22%7D%2C%22actions%22%3A%5B%7B%22action_id%22%3A%22isolate_yes%22%2C%22value%22%3A%22apr_01%22%7D%5D%7D',
    'v0=b3a1acc8ff88d94f6cf2e9284721da0da54da2f5a9d46e4182ea1e681073eb37',
  ],
  [
    '8f742231b10e8888abcd99yyyzzz85a5',
    '1531420618',
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
    'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  ],
] as const)('signs as Slack does: %s', ([secret, timestamp, body, signature]) => {
  expect(signSlack(secret, timestamp, body)).toBe(signature);
});

test('a press is posted to the app, signed, with who pressed what', async () => {
  await using slack = await start();
  await using app = await startApp();
  const ts = await postQuestion(slack);
  expect(slack.isInteractive()).toBe(false);
  expect(await slack.press('U0ALICE', ts, 'decide')).toEqual({ ok: false, error: 'This app is not configured.' });
  slack.setInteractionsUrl(app.url);
  expect(await slack.press('U0ALICE', ts, 'decide')).toEqual({ ok: true });
  expect(slack.trouble('U0ALICE', ts)).toBeUndefined();

  const [{ headers, body, payload } = expect.fail()] = app.heard;
  const timestamp = String(headers['x-slack-request-timestamp']);
  expect(headers['content-type']).toBe('application/x-www-form-urlencoded');
  expect(Math.abs(Date.now() / 1_000 - Number(timestamp))).toBeLessThan(10);
  expect(headers['x-slack-signature']).toBe(signSlack(signingSecret, timestamp, body));
  expect(payload).toMatchObject({
    type: 'block_actions',
    user: { id: 'U0ALICE', username: 'alice', team_id: 'T0SANDBOX' },
    team: { id: 'T0SANDBOX', domain: 'sandbox' },
    api_app_id: 'A0CORDON',
    container: { type: 'message', message_ts: ts, channel_id: channel },
    channel: { id: channel },
    message: { ts, text: 'Isolate?', bot_id: 'B0CORDON' },
    trigger_id: expect.any(String),
    response_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/),
    actions: [
      {
        type: 'button',
        block_id: 'answer',
        action_id: 'decide',
        value: 'incident-1',
        action_ts: expect.stringMatching(/^\d+\.\d{6}$/),
      },
    ],
  });

  await slack.press('U0BOB', ts, 'look');
  expect(app.heard[1]?.payload).toMatchObject({
    user: { id: 'U0BOB' },
    actions: [{ action_id: 'look', url: 'https://cordon.example/q/1' }],
  });
  expect(await slack.press('U0BOB', ts, 'no such button')).toMatchObject({ ok: false });
  expect(app.heard).toHaveLength(2);
});

test('who presses sees when the app answers with an error, is away or is slow, until it works', async () => {
  await using slack = await start();
  const ts = await postQuestion(slack);
  let answer: { status: number } | Promise<never> = { status: 500 };
  await using app = await startApp(() => answer);
  slack.setInteractionsUrl(app.url);

  const press = async (): Promise<string | undefined> => {
    await slack.press('U0ALICE', ts, 'decide');
    return slack.trouble('U0ALICE', ts);
  };
  expect(await press()).toBe('This app responded with status code 500.');
  expect(slack.trouble('U0BOB', ts)).toBeUndefined();
  answer = new Promise<never>(nothing);
  expect(await press()).toBe('This app took too long to respond.');
  answer = { status: 200 };
  expect(await press()).toBeUndefined();
  slack.deliveryFaults.add({ kind: 'away', times: 1 });
  expect(await press()).toBe('This app did not respond.');
  const before = app.heard.length;
  slack.deliveryFaults.add({ kind: 'slow', delayMs: 3_200, times: 1 });
  expect(await press()).toBe('This app took too long to respond.');
  expect(app.heard).toHaveLength(before);
  await expect.poll(() => app.heard.length).toBe(before + 1);
  slack.deliveryFaults.add({ kind: 'twice', times: 1 });
  expect(await press()).toBeUndefined();
  expect(app.heard).toHaveLength(before + 3);
  slack.setInteractionsUrl('http://127.0.0.1:1/');
  expect(await press()).toBe('This app did not respond.');
});

test('a response address takes five messages, that only who pressed sees', async () => {
  await using slack = await start();
  await using app = await startApp();
  slack.setInteractionsUrl(app.url);
  await slack.press('U0STRANGER', await postQuestion(slack), 'decide');
  const responseUrl = app.heard[0]?.payload.response_url ?? '';
  const respond = async (body: object): Promise<number> => {
    const headers = { 'content-type': 'application/json' };
    return (await fetch(responseUrl, { method: 'POST', headers, body: JSON.stringify(body) })).status;
  };
  expect(await respond({ response_type: 'ephemeral', text: 'You may not decide.' })).toBe(200);
  expect(await respond({ blocks: [{ type: 'nonsense' }], text: 'x' })).toBe(400);
  expect(slack.ephemerals('U0STRANGER')).toMatchObject([{ text: 'You may not decide.' }]);
  expect(slack.ephemerals('U0ALICE')).toEqual([]);
  expect(slack.messages()).toMatchObject([{ text: 'Isolate?', replies: [], updateCount: 0 }]);
  for (let use = 2; use <= 5; use++) expect(await respond({ text: 'x' })).toBe(200);
  expect(await respond({ text: 'x' })).toBe(404);
});

test('a trigger opens one modal, for who pressed', async () => {
  await using slack = await start();
  await using app = await startApp();
  const client = clientOf(slack);
  slack.setInteractionsUrl(app.url);
  await expect(client.views.open({ trigger_id: 'made up', view: modal })).rejects.toThrow('invalid_trigger_id');
  await slack.press('U0ALICE', await postQuestion(slack), 'decide');
  const trigger_id = app.heard[0]?.payload.trigger_id ?? '';
  const tooLong = { ...modal, title: { type: 'plain_text' as const, text: 'x'.repeat(25) } };
  await expect(client.views.open({ trigger_id, view: tooLong })).rejects.toThrow('invalid_arguments');
  const { submit: _, ...withoutSubmit } = modal;
  await expect(client.views.open({ trigger_id, view: withoutSubmit })).rejects.toThrow('invalid_arguments');
  await client.views.open({ trigger_id, view: modal });
  await expect(client.views.open({ trigger_id, view: modal })).rejects.toThrow('exchanged_trigger_id');
  expect(slack.views('U0ALICE')).toMatchObject([{ modal: { private_metadata: 'digest' }, errors: {} }]);
  expect(slack.views('U0BOB')).toEqual([]);
});

/** A modal that Alice has open. */
async function openModal(slack: Slack, app: { url: string; heard: Heard[] }): Promise<string> {
  slack.setInteractionsUrl(app.url);
  await slack.press('U0ALICE', await postQuestion(slack), 'decide');
  const trigger_id = app.heard.at(-1)?.payload.trigger_id ?? '';
  return (await clientOf(slack).views.open({ trigger_id, view: modal })).view?.id ?? '';
}

test('what is not filled in as asked is not sent', async () => {
  await using slack = await start();
  await using app = await startApp();
  const id = await openModal(slack, app);
  const errors = { choice: expect.any(String), reason: 'Please enter at least 5 characters.' };
  expect(await slack.submit('U0ALICE', id, { reason: 'why' })).toMatchObject({ ok: false, errors });
  expect(slack.views('U0ALICE')).toMatchObject([{ errors }]);
  expect(await slack.submit('U0ALICE', id, { choice: 'made up', reason: 'x'.repeat(21) })).toMatchObject({
    errors: { choice: 'Please choose one of the options.', reason: 'Please enter at most 20 characters.' },
  });
  expect(await slack.submit('U0BOB', id, filled)).toMatchObject({ ok: false });
  expect(app.heard).toHaveLength(1);
});

test('a submission carries what was filled in, and an empty answer closes the modal', async () => {
  await using slack = await start();
  await using app = await startApp();
  const id = await openModal(slack, app);
  expect(await slack.submit('U0ALICE', id, filled)).toEqual({ ok: true });
  expect(slack.views('U0ALICE')).toEqual([]);
  expect(app.heard[1]?.payload).toMatchObject({
    type: 'view_submission',
    user: { id: 'U0ALICE' },
    team: { id: 'T0SANDBOX' },
    view: {
      id,
      callback_id: 'decide',
      private_metadata: 'digest',
      state: {
        values: {
          choice: { choice: { type: 'radio_buttons', selected_option: { value: 'isolate' } } },
          reason: { reason: { type: 'plain_text_input', value: 'stolen passwords' } },
        },
      },
    },
  });
});

test('an answer may name errors, show another view, or close all', async () => {
  await using slack = await start();
  let answer: object = {};
  await using app = await startApp(({ type }) => (type === 'view_submission' ? { body: JSON.stringify(answer) } : {}));
  const id = await openModal(slack, app);
  const submit = () => slack.submit('U0ALICE', id, filled);

  answer = { response_action: 'errors', errors: { reason: 'Say more.' } };
  expect(await submit()).toMatchObject({ ok: false, errors: { reason: 'Say more.' } });
  expect(slack.views('U0ALICE')).toMatchObject([{ errors: { reason: 'Say more.' } }]);
  for (const nonsense of [
    { response_action: 'errors', errors: { elsewhere: 'x' } },
    { response_action: 'update', view: { type: 'modal' } },
    { response_action: 'dance' },
  ]) {
    answer = nonsense;
    expect(await submit()).toMatchObject({ ok: false });
    expect(slack.views('U0ALICE')).toMatchObject([{ errors: {}, trouble: expect.any(String) }]);
  }
  answer = { response_action: 'update', view: { ...modal, private_metadata: 'new digest' } };
  expect(await submit()).toEqual({ ok: true });
  expect(slack.views('U0ALICE')).toMatchObject([{ id, trouble: undefined, modal: { private_metadata: 'new digest' } }]);
  answer = { response_action: 'clear' };
  expect(await submit()).toEqual({ ok: true });
  expect(slack.views('U0ALICE')).toEqual([]);
});

test('an open modal can be changed, if it still is the one that was meant', async () => {
  await using slack = await start();
  await using app = await startApp();
  const client = clientOf(slack);
  const view_id = await openModal(slack, app);
  const hash = slack.views('U0ALICE')[0]?.hash ?? '';
  const done: ModalView = { type: 'modal', title: { type: 'plain_text', text: 'Done' }, blocks: [] };
  await client.views.update({ view_id, hash, view: done });
  expect(slack.views('U0ALICE')).toMatchObject([{ modal: { title: { text: 'Done' } } }]);
  await expect(client.views.update({ view_id, hash, view: modal })).rejects.toThrow('hash_conflict');
  slack.dismiss('U0ALICE');
  await expect(client.views.update({ view_id, view: modal })).rejects.toThrow('not_found');
});

test('Socket Mode: what is pressed comes over the socket, and what is acknowledged is the answer', async () => {
  await using slack = await start();
  await using app = await startApp();
  slack.setInteractionsUrl(app.url);
  const ts = await postQuestion(slack);
  const socket = new SocketModeClient({
    appToken,
    clientOptions: { slackApiUrl: slack.apiUrl, retryConfig: { retries: 0 } },
    clientPingTimeout: 2000, // also how long it waits before it connects anew
    logger: silent,
  });
  socket.on('interactive', ({ body, ack }: { body: Payload; ack: (answer?: object) => Promise<void> }) => {
    if (body.type === 'view_submission') void ack({ response_action: 'errors', errors: { reason: 'Say more.' } });
    else void ack().then(() => clientOf(slack).views.open({ trigger_id: body.trigger_id, view: modal }));
  });
  await socket.start();
  try {
    expect(slack.sockets()).toBe(1);
    expect(await slack.press('U0ALICE', ts, 'decide')).toEqual({ ok: true });
    await expect.poll(() => slack.views('U0ALICE')).toHaveLength(1);
    const id = slack.views('U0ALICE')[0]?.id ?? '';
    expect(await slack.submit('U0ALICE', id, filled)).toMatchObject({ errors: { reason: 'Say more.' } });

    slack.refreshSockets();
    await expect.poll(() => slack.sockets()).toBe(0);
    await expect.poll(() => slack.sockets()).toBe(1);
    expect(await slack.press('U0BOB', ts, 'decide')).toEqual({ ok: true });
    await expect.poll(() => slack.views('U0BOB')).toHaveLength(1);
    expect(app.heard).toEqual([]);
  } finally {
    await socket.disconnect();
  }
});

test('Socket Mode wants the app-level token, and each address opens one socket', async () => {
  await using slack = await start();
  const open = (given: string) =>
    new WebClient(given, {
      slackApiUrl: slack.apiUrl,
      retryConfig: { retries: 0 },
      logger: silent,
    }).apps.connections.open({});
  await expect(open(token)).rejects.toThrow('invalid_auth');
  const { url = '' } = await open(appToken);
  expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/link\/\?ticket=/);
  const outcome = async (): Promise<string> => {
    const socket = new WebSocket(url);
    const [event] = await Promise.race([once(socket, 'message'), once(socket, 'error')]).catch(() => ['refused']);
    socket.close();
    return event instanceof MessageEvent
      ? z.object({ type: z.string() }).parse(JSON.parse(event.data)).type
      : 'refused';
  };
  expect(await outcome()).toBe('hello');
  expect(await outcome()).toBe('refused');
});
