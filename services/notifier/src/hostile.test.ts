import type { CordonEvent } from '@cordon/contracts';
import { expect, test } from 'vitest';
import { caseOf, newsOf } from './moments.ts';
import { renderMail } from './render-email.ts';
import { renderIncident, renderNews } from './render-slack.ts';
import { aMachine, incidentAfter, PUBLIC_URL, startWorld } from './testing.ts';

const HOSTILE =
  '<!channel> <https://evil.example|Approve> <script>alert(1)</script> `x` *b*\r\nIsolated.\u202efdp & http://evil.example/a';
const found = { hostname: HOSTILE.slice(0, 200), title: HOSTILE, commandLine: HOSTILE, path: HOSTILE, user: HOSTILE };
const LONG = '&<>"'.repeat(8192);

/** Every string of a value, with the type of the object it stands in. */
function* stringsOf(value: unknown, type = ''): Generator<{ type: string; key: string; text: string }> {
  if (typeof value !== 'object' || value === null) return;
  const own = 'type' in value && typeof value.type === 'string' ? value.type : type;
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === 'string') yield { type: own, key, text: inner };
    else yield* stringsOf(inner, own);
  }
}
const sizeOf = (blocks: unknown): number =>
  [...stringsOf(blocks)]
    .filter(({ key }) => key === 'text')
    .reduce(
      (sum, { text }) => sum + text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').length,
      0,
    );

test('what an attacker wrote reaches Slack only where Slack does not read it as markup', () => {
  const machine = aMachine(found);
  const incident = incidentAfter(
    machine.detected(),
    machine.detected({ commandLine: `${HOSTILE} again` }),
    machine.asked(),
    machine.decided('isolate', HOSTILE),
    machine.pending(HOSTILE),
  );
  const messages = [
    renderIncident(incident, PUBLIC_URL),
    ...newsOf(incident).map((news) => renderNews(incident, news)),
  ];
  expect(messages).toHaveLength(4);
  for (const { text, blocks } of messages) {
    expect(text).not.toMatch(/<|>|https?:|\n|\u202e/);
    const strings = [...stringsOf(blocks)];
    for (const { text } of strings) expect(text).not.toMatch(/[\u202e\r]/);
    for (const { text } of strings.filter(({ type }) => type === 'mrkdwn')) {
      expect(text.replace(/<!date\^[^<>]*>/g, '')).not.toMatch(/[<>]|evil/);
    }
    expect(JSON.stringify(blocks)).not.toMatch(/"type":"(broadcast|user|usergroup|channel)"/);
  }
  const all = JSON.stringify(messages);
  expect(all).toContain('`x` *b*\\nIsolated.\ufffdfdp & http://evil.example/a'); // the command line, complete
  expect(all).toContain('`x` *b*↵Isolated.\ufffdfdp'); // values of one line
});

test('any length stays within what Slack takes', () => {
  const long = {
    hostname: LONG.slice(0, 255),
    title: LONG.slice(0, 512),
    commandLine: LONG,
    path: LONG.slice(0, 4096),
    user: LONG.slice(0, 512),
  };
  const machine = aMachine(long);
  const more = Array.from({ length: 25 }, (_, n): CordonEvent =>
    machine.detected({ commandLine: `${n}${LONG.slice(10)}` }),
  );
  const incident = incidentAfter(
    machine.detected(),
    ...more,
    machine.asked(),
    machine.decided('isolate', LONG.slice(0, 500)),
    machine.pending(LONG),
  );
  expect(incident.findings).toHaveLength(20);
  for (const { text, blocks } of [
    renderIncident(incident, PUBLIC_URL),
    ...newsOf(incident).map((news) => renderNews(incident, news)),
  ]) {
    expect(text.length).toBeLessThan(1500);
    expect(blocks?.length).toBeLessThan(15);
    expect(sizeOf(blocks)).toBeLessThanOrEqual(8000);
  }
  expect(JSON.stringify(renderIncident(incident, PUBLIC_URL))).toContain('The full text is on the page.');
});

test('a mail shows it inert and complete, names one address, and masks secrets', () => {
  const machine = aMachine({ ...found, commandLine: `${HOSTILE} password=hunter2` });
  const { subject, text, html } = renderMail(
    incidentAfter(machine.detected(), machine.asked()),
    PUBLIC_URL,
    'question',
  );
  const link = `${PUBLIC_URL}/approvals/${machine.incidentId}`;
  expect(subject).not.toMatch(/[\r\n\u202e]/);
  expect(text.match(/https?:\/\/\S+/g)).toEqual([link]);
  expect(html.match(/https?:\/\/[^"\s<]+/g)).toEqual([link]);
  expect(html).not.toMatch(/<script|<!channel|\u202e/);
  expect(`${text}${html}`).not.toContain('hunter2');
  expect(text).toContain('| Isolated.\ufffdfdp & hxxp://evil[.]example/a password=***');
  for (const line of text.split('\n').slice(1)) expect(line).not.toMatch(/^(?!\| ).*evil/);
});

test('the first line of a mail is the question with host, deadline and what happens at it', () => {
  const machine = aMachine();
  const incident = incidentAfter(machine.detected(), machine.asked());
  const mail = renderMail(incident, PUBLIC_URL, 'question');
  expect(mail.text.split('\n')[0]).toBe(
    'Waiting for a decision: Isolate WIN-01? Nobody has decided yet. Decide by 2031-02-03 04:05 UTC. If nobody decides by then, the machine stays connected.',
  );
  expect(mail.subject).toBe(`[Cordon] High MyDFIR - HackTool - Lazagne on WIN-01 (case ${caseOf(incident)})`);
  for (const word of [
    'WIN-01',
    'ada',
    'LaZagne.exe all',
    'ab'.repeat(32),
    machine.endpoint.endpointId,
    'Review and decide',
  ]) {
    expect(mail.text).toContain(word);
    expect(mail.html).toContain(word);
  }
  expect(mail.urgent).toBe(true);
});

test('Slack, mail server and log take the worst of it', async () => {
  await using world = await startWorld();
  const machine = aMachine({ ...found, commandLine: LONG });
  await world.happen(machine.detected(), machine.asked(), machine.decided('leave', HOSTILE));
  await expect
    .poll(() => [world.done('notifier-slack'), world.done('notifier-email')], { timeout: 25_000 })
    .toEqual([3, 2]);
  expect([world.dead('notifier-slack'), world.dead('notifier-email')]).toEqual([0, 0]);
  expect(world.slack.messages().map(({ replies }) => replies.length)).toEqual([1]);
  expect(world.mail.mails()).toHaveLength(2);
  expect(world.mail.mails().every(({ recipients }) => recipients.join() === 'soc@example.com')).toBe(true);
  expect(world.lines.join('\n')).not.toContain('evil');
});
