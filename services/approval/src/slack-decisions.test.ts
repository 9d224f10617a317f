import { createHmac } from 'node:crypto';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { factsDigest, type Incident } from '@cordon/incident';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { personCalled } from './page-lab.ts';
import { IN_SLACK, SIGNING_SECRET, type SlackLab, startSlackLab } from './slack-lab.ts';

let desk: SlackLab;
beforeAll(async () => {
  desk = await startSlackLab();
});
afterAll(() => desk[Symbol.asyncDispose]());

const ALICE = 'U0ALICE';
const BOB = 'U0BOB';
const REASON = 'the test says so';
const yes = { choice: 'isolate', reason: REASON };
const no = { choice: 'leave', reason: REASON };

const asked = (about: { votesNeeded?: number; expiryMs?: number; commandLine?: string } = {}): Promise<Incident> => {
  const { commandLine, ...asking } = about;
  const detection = aDetection(commandLine === undefined ? {} : { commandLine });
  return desk.lab.asked({ terms: IN_SLACK, detection, ...asking });
};
const whispers = (user: string): string[] => desk.slack.ephemerals(user).map(({ text }) => text);

/** Somebody's hands in a modal: opens it now, and answers when called. */
async function ready(user: string, incident: Incident) {
  const id = await desk.open(user, incident);
  return (filled: Record<string, string>) => desk.slack.submit(user, id, filled);
}

describe('an answer', () => {
  test.for([
    { filled: yes, says: 'Decided to isolate win-srv-07.', status: 'approved', outcome: 'isolate' },
    { filled: no, says: 'Decided not to isolate win-srv-07.', status: 'left', outcome: 'leave' },
  ])('to $outcome is taken from the modal with its reason', async ({ filled, says, status, outcome }) => {
    const incident = await asked();
    const submit = await ready(ALICE, incident);
    expect(await submit(filled)).toEqual({ ok: true });
    expect(desk.shown(ALICE)).toContain(says);
    const now = await desk.lab.now(incident);
    expect(now.status).toBe(status);
    expect(now.decision).toMatchObject({
      outcome,
      channel: 'slack',
      reason: REASON,
      decidedBy: { issuer: personCalled('Alice').issuer, subject: 'alice' },
    });
  });

  test('starts with the facts, nothing chosen, "no" first, and until when', async () => {
    const incident = await asked();
    await desk.open(ALICE, incident);
    const [{ modal } = expect.fail()] = desk.slack.views(ALICE);
    expect(JSON.parse(modal.private_metadata ?? '')).toEqual({
      incidentId: incident.id,
      question: incident.question?.eventId,
      digest: factsDigest(incident),
    });
    const shown = desk.shown(ALICE);
    for (const fact of [
      'win-srv-07',
      String.raw`CORP\\mallory`,
      'LaZagne.exe',
      'Isolation cuts win-srv-07 off',
      '<!date^',
    ]) {
      expect(shown).toContain(fact);
    }
    const choice = modal.blocks.find((block) => block.type === 'input' && block.element.type === 'radio_buttons');
    expect(choice).toMatchObject({ element: { options: [{ value: 'leave' }, { value: 'isolate' }] } });
    expect(shown).not.toContain('initial_option');
  });

  test('needs a choice and a reason', async () => {
    const incident = await asked();
    const submit = await ready(ALICE, incident);
    expect(await submit({ choice: 'isolate', reason: '  x     ' })).toMatchObject({
      ok: false,
      errors: { reason: 'Give a reason of 5 to 500 characters.' },
    });
    expect(await submit({ reason: REASON })).toMatchObject({ ok: false });
    expect(await desk.lab.decisions(incident)).toBe(0);
  });

  test('on facts that changed meanwhile is not taken: they are shown, the reason kept and the choice not', async () => {
    const incident = await asked();
    const submit = await ready(ALICE, incident);
    const before = desk.slack.views(ALICE)[0]?.modal.blocks;
    await desk.lab.append(aDetectionRaised(aDetection({ endpoint: incident, commandLine: 'mimikatz.exe' })));
    expect(await submit(yes)).toEqual({ ok: true });
    expect(await desk.lab.decisions(incident)).toBe(0);
    for (const text of ['New facts arrived', 'mimikatz.exe', `"initial_value":"${REASON}"`])
      expect(desk.shown(ALICE)).toContain(text);
    const after = desk.slack.views(ALICE)[0]?.modal.blocks;
    const choiceOf = (blocks = before) => blocks?.find((block) => block.block_id?.startsWith('choice'))?.block_id;
    expect(choiceOf(after)).not.toBe(choiceOf());
    expect(await submit(yes)).toEqual({ ok: true });
    expect(desk.shown(ALICE)).toContain('Decided to isolate');
    expect(await desk.lab.decisions(incident)).toBe(1);
  });

  test('comes too late after a decision elsewhere, and after the deadline', async () => {
    const incident = await asked();
    const [alice, bob] = [await ready(ALICE, incident), await ready(BOB, incident)];
    await bob(no);
    await alice(yes);
    expect(desk.shown(ALICE)).toContain('Bob already decided: Machine not isolated. This answer was not taken.');
    expect(await desk.lab.decisions(incident)).toBe(1);

    const late = await asked();
    const submit = await ready(ALICE, late);
    await desk.lab.expire(late);
    await submit(yes);
    expect(desk.shown(ALICE)).toContain('the question has expired');
    expect((await desk.lab.now(late)).status).toBe('expired');
  });

  test('to an earlier question is none to a later one about the same facts', async () => {
    const incident = await asked();
    const response = await send(submission(ALICE, metadataOf(incident, 'an earlier one')));
    expect(await response.text()).toContain('New facts arrived');
    expect(await desk.lab.decisions(incident)).toBe(0);
  });
});

describe('where two must agree', () => {
  test('a yes counts once per person, through whichever channel', async () => {
    const incident = await asked({ votesNeeded: 2 });
    const alice = await ready(ALICE, incident);
    await alice(yes);
    expect(desk.shown(ALICE)).toContain('1 of 2 persons agree so far.');
    expect(desk.shown(ALICE)).toContain('Your yes is counted');

    await desk.open(ALICE, incident);
    expect(desk.shown(ALICE)).not.toContain('"isolate"');
    expect(desk.shown(ALICE)).toContain('You can still take it back with a no.');
    const onThePage = await (await desk.lab.signedIn()).get(`/approvals/${incident.id}`);
    expect(onThePage.text).toContain('Your yes is counted.');

    const bob = await ready(BOB, incident);
    await bob(yes);
    const { decision } = await desk.lab.now(incident);
    expect(decision?.votes?.map(({ person, channel }) => [person.subject, channel])).toEqual([
      ['alice', 'slack'],
      ['bob', 'slack'],
    ]);
  });

  test('an answer sent twice, or by two windows, is one yes', async () => {
    const incident = await asked({ votesNeeded: 2 });
    const submit = await ready(ALICE, incident);
    desk.slack.deliveryFaults.add({ kind: 'twice', times: 1 });
    await submit(yes);
    expect(desk.shown(ALICE)).toContain('1 of 2 persons agree so far.');
    expect((await desk.lab.now(incident)).question?.votes).toHaveLength(1);
    expect(await desk.lab.decisions(incident)).toBe(0);
  });
});

test('of many who answer at once, on both channels, one decides and all are told', async () => {
  const incident = await asked();
  const users = [ALICE, BOB];
  const answers = await Promise.all(users.map((user) => ready(user, incident)));
  const page = await desk.lab.signedIn({ name: 'Carol' });
  const review = (await page.get(`/approvals/${incident.id}`)).form(/review/);
  const confirm = (await page.post(review.action, { ...review.fields, ...no })).form(/decide/);
  await Promise.all([
    ...answers.map((submit, index) => submit(index === 0 ? yes : no)),
    page.post(confirm.action, confirm.fields),
    desk.lab.expire(incident),
  ]);
  expect(await desk.lab.decisions(incident)).toBe(1);
  for (const user of users) expect(desk.shown(user)).toMatch(/Decided|already decided|expired/);
});

describe('only they see why they may not', () => {
  test.for([
    ['U0STRANGER', 'The policy does not name you. Whoever keeps it can add T0SANDBOX/U0STRANGER'],
    ['U0GUEST', 'You are in no group that may decide about this machine.'],
    ['U0MALLORY', 'Your own account was at work on this machine'],
  ] as const)('%s', async ([user, why]) => {
    const incident = await asked();
    const ts = await desk.post(incident);
    expect(await desk.slack.press(user, ts, 'decide')).toEqual({ ok: true });
    await expect.poll(() => whispers(user)).toContainEqual(expect.stringContaining(why));
    expect(desk.slack.views(user)).toEqual([]);
    expect(whispers(ALICE).join()).not.toContain(why);
    expect(await desk.lab.decisions(incident)).toBe(0);
  });

  test('where the question is decided on the page, or not open any more', async () => {
    const onThePage = await desk.lab.asked();
    await desk.slack.press(ALICE, await desk.post(onThePage), 'decide');
    await expect.poll(() => whispers(ALICE)).toContain('This one is decided on the page.');
    const over = await asked();
    await desk.lab.expire(over);
    await desk.slack.press(ALICE, await desk.post(over), 'decide');
    await expect.poll(() => whispers(ALICE)).toContainEqual(expect.stringMatching(/^This question is not open\./));
    await desk.slack.press(ALICE, await desk.post({ ...over, id: '0'.repeat(32) }), 'decide');
    await expect.poll(() => whispers(ALICE)).toContain('The incident is older than what is kept.');
  });
});

test('a modal that somebody else got hold of decides nothing', async () => {
  const incident = await asked();
  await desk.open(ALICE, incident);
  const [stolen] = desk.slack.views(ALICE);
  for (const user of ['U0STRANGER', 'U0GUEST', 'U0MALLORY']) {
    const response = await send(submission(user, stolen?.modal.private_metadata ?? ''));
    expect(await response.text()).toMatch(/The policy does not name you|in no group|Your own account/);
  }
  expect(await desk.lab.decisions(incident)).toBe(0);
});

const metadataOf = (incident: Incident, question = incident.question?.eventId): string =>
  JSON.stringify({ incidentId: incident.id, question, digest: factsDigest(incident) });

/** As Slack would post it, unless told otherwise. */
function send(
  payload: unknown,
  about: { secret?: string; at?: number; alter?: (body: string) => string; headers?: Record<string, string> } = {},
): Promise<Response> {
  const { secret = SIGNING_SECRET, at = Math.floor(Date.now() / 1000), alter = (body) => body, headers } = about;
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  const signature = createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex');
  return fetch(`${desk.lab.url}/slack/interactions`, {
    method: 'POST',
    body: alter(body),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': String(at),
      'x-slack-signature': `v0=${signature}`,
      ...headers,
    },
  });
}

function submission(user: string, privateMetadata: string, team = 'T0SANDBOX') {
  return {
    type: 'view_submission',
    user: { id: user, team_id: team },
    team: { id: 'T0SANDBOX' },
    view: {
      id: 'V1',
      callback_id: 'decide',
      private_metadata: privateMetadata,
      state: {
        values: {
          c: { choice: { type: 'radio_buttons', selected_option: { value: 'isolate' } } },
          r: { reason: { type: 'plain_text_input', value: REASON } },
        },
      },
    },
  };
}

describe('the address that Slack posts to', () => {
  test('takes what Slack signed, once, however often it is replayed', async () => {
    const incident = await asked();
    const payload = submission(ALICE, metadataOf(incident));
    const at = Math.floor(Date.now() / 1000);
    const responses = await Promise.all(Array.from({ length: 5 }, () => send(payload, { at })));
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(await desk.lab.decisions(incident)).toBe(1);
  });

  test.for<[what: string, about: Parameters<typeof send>[1]]>([
    ['another secret', { secret: 'stolen' }],
    ['one changed byte', { alter: (body) => body.replace('U0ALICE', 'U0BOBBY') }],
    ['another encoding', { alter: (body) => body.replaceAll('%2C', ',') }],
    ['a request of an hour ago', { at: Math.floor(Date.now() / 1000) - 3600 }],
    ['a request from the future', { at: Math.floor(Date.now() / 1000) + 3600 }],
    ['no signature', { headers: { 'x-slack-signature': '' } }],
  ])('refuses %s, and nothing happens', async ([, about]) => {
    const incident = await asked();
    expect((await send(submission(ALICE, metadataOf(incident)), about)).status).toBe(401);
    expect(await desk.lab.decisions(incident)).toBe(0);
  });

  test('takes nothing but signed forms', async () => {
    const { url } = desk.lab;
    for (const method of ['GET', 'HEAD', 'PUT'])
      expect((await fetch(`${url}/slack/interactions`, { method })).status).toBe(404);
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${url}/slack/interactions`, { method: 'POST', headers, body: '{}' })).status).toBe(415);
    expect((await fetch(`${url}/slack/interactions`, { method: 'POST' })).status).toBe(401);
    expect((await send({}, { alter: () => 'x'.repeat(300_000) })).status).toBe(413);
  });

  test('knows people by their own team, not by the one whose channel it is', async () => {
    const incident = await asked();
    const response = await send(submission(ALICE, metadataOf(incident), 'T0OTHER'));
    expect(await response.text()).toContain('The policy does not name you');
    expect(await desk.lab.decisions(incident)).toBe(0);
  });

  test.for([
    { type: 'view_closed', user: { id: ALICE } },
    { type: 'shortcut' },
    { type: 'block_actions', user: { id: ALICE }, team: { id: 'T0SANDBOX' }, actions: [] },
    submission(ALICE, 'not ours'),
    submission(ALICE, '{"incidentId":"../../","digest":"x"}'),
    [],
    null,
  ])('acknowledges what is no concern of ours: %o', async (payload) => {
    const response = await send(payload);
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  test('does not exist without its secret', async () => {
    await using other = await startSlackLab({ SLACK_SIGNING_SECRET: '', SLACK_APP_TOKEN: '' });
    expect((await fetch(`${other.lab.url}/slack/interactions`, { method: 'POST' })).status).toBe(404);
  });

  test('a link that was followed is acknowledged, and nothing else happens', async () => {
    const incident = await asked();
    expect(await desk.slack.press(BOB, await desk.post(incident), 'open_incident')).toEqual({ ok: true });
    expect(await desk.lab.decisions(incident)).toBe(0);
  });
});

test('what an attacker wrote is only text in the modal', async () => {
  const commandLine = '<!channel> <https://evil.example|Approve> *bold* `code` \u202Egpj.exe & @here';
  await desk.open(ALICE, await asked({ commandLine }));
  const [{ modal } = expect.fail()] = desk.slack.views(ALICE);
  const mrkdwn =
    JSON.stringify(modal)
      .match(/\{"type":"mrkdwn"[^}]*\}/g)
      ?.join() ?? '';
  expect(mrkdwn).not.toMatch(/channel|evil|here/);
  expect(JSON.stringify(modal)).toContain('<!channel> <https://evil.example|Approve>');
  expect(JSON.stringify(modal)).not.toContain('\u202E');
});

test('a very long story fits, and says where the rest is', async () => {
  const incident = await asked({ commandLine: 'x&<>'.repeat(3_000) });
  for (let index = 0; index < 12; index++) {
    const commandLine = `${index}${'&'.repeat(2_000)}`;
    await desk.lab.append(aDetectionRaised(aDetection({ endpoint: incident, commandLine })));
  }
  await desk.open(ALICE, incident);
  expect(desk.shown(ALICE)).toContain('The full text is on the page');
  expect(desk.shown(ALICE)).toContain('more');
});
