import { SocketModeClient } from '@slack/socket-mode';
import { LogLevel, WebClient, type Logger, type ModalView } from '@slack/web-api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSandboxPage, type SandboxPage } from './sandbox-page.ts';
import { startSlack, type Slack } from './slack.ts';

const channel = 'C0ALERTS';
const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`;
const nothing = (): void => undefined;
const logger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  setLevel: nothing,
  setName: nothing,
  getLevel: () => LogLevel.ERROR,
};
const modal: ModalView = {
  type: 'modal',
  title: { type: 'plain_text', text: 'Isolate?' },
  submit: { type: 'plain_text', text: 'Send' },
  blocks: [
    { type: 'context', elements: [{ type: 'plain_text', text: evil }] },
    {
      type: 'input',
      block_id: 'choice',
      label: { type: 'plain_text', text: evil },
      hint: { type: 'plain_text', text: evil },
      element: {
        type: 'radio_buttons',
        action_id: 'choice',
        options: [{ text: { type: 'plain_text', text: evil }, value: 'isolate' }],
      },
    },
    {
      type: 'input',
      block_id: 'where',
      optional: true,
      label: { type: 'plain_text', text: 'Where' },
      element: {
        type: 'static_select',
        action_id: 'where',
        options: [{ text: { type: 'plain_text', text: evil }, value: evil }],
      },
    },
    {
      type: 'input',
      block_id: 'reason',
      label: { type: 'plain_text', text: 'Reason' },
      element: { type: 'plain_text_input', action_id: 'reason', multiline: true, min_length: 5, initial_value: evil },
    },
  ],
};

let slack: Slack;
let page: SandboxPage;
let app: SocketModeClient;
let heard: unknown[];

beforeEach(async () => {
  slack = await startSlack({ token: 'xoxb-sandbox', channel, appToken: 'xapp-sandbox' });
  page = await startSandboxPage({ port: 0, incidentsUrl: 'http://127.0.0.1:8081/', slack });
  heard = [];
  app = new SocketModeClient({ appToken: 'xapp-sandbox', clientOptions: { slackApiUrl: slack.apiUrl }, logger });
});
afterEach(async () => {
  await app.disconnect();
  await page.close();
  await slack.close();
});

const look = async (path = '/'): Promise<string> => (await fetch(page.url + path)).text();
const post = (path: string, form: Record<string, string>, origin = page.url) =>
  fetch(page.url + path, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers: { origin },
    redirect: 'manual',
  });
const client = (): WebClient => new WebClient('xoxb-sandbox', { slackApiUrl: slack.apiUrl, logger });

async function ask(): Promise<string> {
  const text = { type: 'plain_text' as const, text: 'Decide' };
  const link = { type: 'button' as const, action_id: 'look', url: 'https://cordon.example/q/1', text };
  const { ts } = await client().chat.postMessage({
    channel,
    text: 'Isolate?',
    blocks: [{ type: 'actions', elements: [{ type: 'button', action_id: 'decide', value: '1', text }, link] }],
  });
  return ts ?? '';
}

/** An app that opens the modal, or refuses who is no friend of it. */
async function listen(): Promise<void> {
  type Body = { type: string; trigger_id: string; response_url: string; user: { id: string } };
  const answer = async (body: Body): Promise<unknown> => {
    if (body.type !== 'block_actions') return;
    if (body.user.id !== 'U0STRANGER') return client().views.open({ trigger_id: body.trigger_id, view: modal });
    const headers = { 'content-type': 'application/json' };
    return fetch(body.response_url, { method: 'POST', headers, body: JSON.stringify({ text: `No. ${evil}` }) });
  };
  app.on('interactive', ({ body, ack }: { body: Body; ack: () => Promise<void> }) => {
    heard.push(body);
    void ack().then(() => answer(body));
  });
  await app.start();
}

test('without an app that listens, links are links and other buttons do nothing', async () => {
  await ask();
  const shown = await look();
  expect(shown).toMatch(/<button class="slack-button slack-button-default" type="button" disabled>/);
  expect(shown).toContain('href="https://cordon.example/q/1"');
  expect(shown).not.toContain('data-press');
  expect(shown).not.toContain('slack-people');
});

test('one can be Alice, Bob or a stranger, and presses as such', async () => {
  await listen();
  const ts = await ask();
  const shown = await look('/?mail=1&slack=bob');
  expect(shown).toMatch(/<a href="\?mail=1&amp;slack=bob" aria-current="true">Bob<\/a>/);
  expect(shown).toMatch(/<form method="post" action="\/slack\/press\?mail=1&amp;slack=bob">/);
  expect(shown).toMatch(/href="https:\/\/cordon\.example\/q\/1"[^>]*data-press="\/slack\/press\?mail=1&amp;slack=bob"/);
  const answer = await post('/slack/press?mail=1&slack=bob', { ts, action_id: 'look' });
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/?mail=1&slack=bob#slack']);
  await post('/slack/press', { ts, action_id: 'look' });
  expect(heard).toMatchObject([{ user: { id: 'U0BOB' } }, { user: { id: 'U0ALICE' } }]);
  expect((await post('/slack/press', { ts, action_id: 'look' }, 'http://evil.example')).status).toBe(403);
  expect(heard).toHaveLength(2);
});

test('the modal is filled in on the page, where nothing in it becomes markup', async () => {
  await listen();
  await post('/slack/press', { ts: await ask(), action_id: 'decide' });
  await expect.poll(() => slack.views('U0ALICE')).toHaveLength(1);
  const [view] = slack.views('U0ALICE');
  const shown = await look();
  expect(shown).toContain('role="dialog"');
  expect(shown.match(/<script/g)).toHaveLength(1);
  expect(shown).not.toMatch(/<img/);
  for (const name of ['value.choice', 'value.where', 'value.reason']) expect(shown).toContain(`name="${name}"`);
  expect(shown).not.toContain(' checked');
  expect(await look('/?slack=bob')).not.toContain('role="dialog"');

  const view_id = view?.id ?? '';
  await post('/slack/submit', { view: view_id, 'value.reason': 'no' });
  expect(await look()).toMatch(/Please complete this required field\.[\s\S]*Please enter at least 5 characters\./);
  slack.deliveryFaults.add({ kind: 'away', times: 1 });
  const filled = { view: view_id, 'value.choice': 'isolate', 'value.reason': 'stolen passwords', 'value.where': '' };
  await post('/slack/submit', filled);
  expect(await look()).toContain('We had some trouble connecting.');
  await post('/slack/submit', filled);
  expect(await look()).not.toContain('role="dialog"');
  expect(heard[1]).toMatchObject({
    type: 'view_submission',
    view: { state: { values: { reason: { reason: { value: 'stolen passwords' } }, where: { where: {} } } } },
  });
});

test('a modal can be closed, and what went wrong or is for one alone is shown to that one', async () => {
  await listen();
  const ts = await ask();
  await post('/slack/press', { ts, action_id: 'decide' });
  await expect.poll(() => slack.views('U0ALICE')).toHaveLength(1);
  await post('/slack/dismiss', {});
  expect(await look()).not.toContain('role="dialog"');

  await post('/slack/press?slack=stranger', { ts, action_id: 'decide' });
  await expect.poll(() => slack.ephemerals('U0STRANGER')).toHaveLength(1);
  expect(await look('/?slack=stranger')).toMatch(/No\. [\s\S]*Only visible to you/);
  expect(await look()).not.toContain('Only visible to you');

  slack.deliveryFaults.add({ kind: 'away', times: 1 });
  await post('/slack/press', { ts, action_id: 'decide' });
  expect(await look()).toContain('This app did not respond.');
  expect(await look('/?slack=bob')).not.toContain('This app did not respond.');
});
