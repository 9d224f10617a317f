import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from './person.ts';
import { Story } from './story.ts';

/** Steps 1 to 8 of the job, as people and machines see them at the outer ends. */

let story: Story;
beforeAll(async () => {
  story = await Story.begin();
});
afterAll(() => story.system.close());
afterEach(() => story.tidy());

const sensor = () => story.parts.limaCharlie.sensors()[0];

test('no: Slack says so, and nothing happens to the machine', async () => {
  const id = await story.follow(async () => story.parts.machine.run('.\\LaZagne.exe all'));
  const [root] = story.roots(id);
  const facts = [
    'MyDFIR - HackTool - Lazagne',
    'High',
    'win-srv-07',
    'WIN-SRV-07\\\\mallory',
    'LaZagne.exe',
    '3cc5ee93a9ba1fc57389705283b760c8bd61f35e9398bbfa3210e2becf6d4b05',
    'bb4b30af-5d0c-4c1b-8f3e-f014ada33345',
    'https://app.limacharlie.io/orgs/',
  ];
  for (const fact of facts) expect(JSON.stringify(root?.blocks)).toContain(fact);
  const mail = await eventually(() => story.mails(id)[0], 'the mail');
  for (const fact of facts.filter((one) => one !== 'WIN-SRV-07\\\\mallory' && !one.startsWith('https')))
    expect(mail.text).toContain(fact);

  const alice = await story.signedIn('Alice');
  expect((await story.decide(alice, id, 'leave')).text).toContain('Machine not isolated.');
  await story.slackSays(id, 'Machine not isolated.');
  await story.slackSays(id, 'Alice Approver');
  const outcome = await eventually(() => story.mails(id)[1], 'the mail about the outcome');
  expect(outcome.references).toContain(mail.messageId);
  expect(story.isolations()).toBe(0);
  expect(sensor()).toMatchObject({ isolated: false, shouldIsolate: false });
});

test('yes: isolated once, said when the sensor says it; then released', async () => {
  const before = story.isolations();
  const id = await story.follow(() => story.attack());
  const alice = await story.signedIn('Alice');
  await story.decide(alice, id, 'isolate');
  await story.slackSays(id, 'Machine isolated');
  expect(sensor()).toMatchObject({ isolated: true });
  expect(story.isolations()).toBe(before + 1);
  expect(story.parts.machine.run('ping 8.8.8.8').output).toMatch(/fail|unreachable|lost/i);
  await eventually(() => story.mails(id).find((mail) => mail.text?.includes('isolated from the network')), 'the mail');

  await story.requestRelease(alice, id);
  await story.slackSays(id, 'Machine released');
  expect(sensor()).toMatchObject({ isolated: false, shouldIsolate: false });
  expect(story.roots(id)).toHaveLength(1);
});

test('yes with the machine offline: pending is said, isolated only after it came back', async () => {
  const id = await story.follow(() => story.attack());
  story.parts.limaCharlie.setOnline(story.parts.machine.sid, false);
  await story.decide(await story.signedIn('Alice'), id, 'isolate');
  await story.slackSays(id, 'offline');
  expect(JSON.stringify(story.roots(id)[0]?.blocks)).not.toContain('Machine isolated');
  story.parts.limaCharlie.setOnline(story.parts.machine.sid, true);
  await story.slackSays(id, 'Machine isolated');
});

test('the two detections of one run ask once, with one Slack message and one mail', async () => {
  const roots = story.parts.slack.messages().length;
  const id = await story.follow(() => story.attack());
  await story.pageSays(await story.signedIn('Victor'), id, 'Detections 2');
  await story.slackSays(id, '"text":"2"');
  await eventually(() => story.mails(id)[0], 'the mail');
  expect(story.parts.slack.messages()).toHaveLength(roots + 1);
  expect(story.mails(id)).toHaveLength(1);
});

test('two approvers at once: one decision, and the second is told who won', async () => {
  const id = await story.follow(() => story.attack());
  const people = [await story.signedIn('Alice'), await story.signedIn('Bob')];
  const forms = await Promise.all(
    people.map(async (person) => {
      const form = (await person.get(`/approvals/${id}`)).form(/review/);
      return (await person.post(form.action, { ...form.fields, choice: 'leave', reason: 'the test says so' })).form(
        /decide/,
      );
    }),
  );
  const pages = await Promise.all(
    people.map((person, index) => person.post(forms[index]?.action ?? '', forms[index]?.fields ?? {})),
  );
  expect(pages.map((page) => page.status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  const [winner, told] = pages[0]?.status === 200 ? ['Alice Approver', pages[1]] : ['Bob Approver', pages[0]];
  expect(told?.text).toContain(`${winner} already decided`);
});

test.each([
  '<!channel> <script>alert(1)</script> LaZagne.exe',
  'a\nb LaZagne.exe',
  '`*_~ LaZagne.exe',
  'exe.\u202Efdp LaZagne.exe',
])('a hostile file name reaches everybody inert and complete: %j', async (name) => {
  const { limaCharlie, machine } = story.parts;
  const id = await story.follow(() => limaCharlie.raise(aDetectionOf(name, machine.sid, limaCharlie.oid)));
  const shown = name.replace('\u202E', '\uFFFD').replace('\n', '↵'); // what a person could not see is made visible
  const [root] = story.roots(id);
  for (const text of mrkdwnOf(root)) expect(text).not.toMatch(/<!channel>|<script>/);
  expect(textsOf(root).some((text) => text.includes(shown))).toBe(true);
  expect(root).toMatchObject({ unfurlLinks: false, unfurlMedia: false });

  const mail = await eventually(() => story.mails(id)[0], 'the mail');
  expect(mail.html).not.toContain('<script>');
  expect(mail.text).toContain(shown);
  expect(mail.subject).not.toMatch(/[\r\n\u202E]/);

  const page = await (await story.signedIn('Alice')).get(`/approvals/${id}`);
  expect(page.body).not.toContain('<script>alert');
  expect(page.text).toContain('LaZagne.exe');
  for (const line of Object.values(story.system.services)
    .flatMap((service) => service.output().split('\n'))
    .filter(Boolean)) {
    expect(() => JSON.parse(line)).not.toThrow(); // a newline in a name starts no line of its own
  }
});

test('no secret is in any log', async () => {
  const secrets = [
    story.system.webhook.secret,
    ...['SLACK_BOT_TOKEN', 'LIMACHARLIE_API_KEY', 'SESSION_SECRET', 'OIDC_CLIENT_SECRET'].map(
      (name) => story.system.secrets[name] ?? 'missing',
    ),
  ];
  const person = await story.signedIn('Alice');
  const cookie = person.cookie('__Host-cordon_sid') ?? 'missing';
  const output = Object.values(story.system.services)
    .map((service) => service.output())
    .join('\n');
  for (const secret of [...secrets, cookie, decodeURIComponent(cookie).split('.')[0] ?? 'missing']) {
    expect(secret.length).toBeGreaterThan(20);
    expect(output).not.toContain(secret);
  }
});

test('all of it can be proven: the export of the audit log is whole, and the public key is enough to check it', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'cordon-audit-')), 'audit.ndjson');
  const command = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
  const cordon = (env: Record<string, string>, ...argv: string[]) =>
    promisify(execFile)(process.execPath, [command, 'audit', ...argv], { env });
  await cordon({ NATS_URL: story.system.natsUrl }, 'export', '--out', path);
  const key = story.system.secrets['DECISION_PUBLIC_KEYS'] ?? 'missing';
  const { stdout } = await cordon({}, 'verify', path, '--key', key);
  expect(stdout).toMatch(/decisions .*\d leave/);
  expect(stdout).toMatch(/decisions .*\d isolate/);
  expect(stdout).toContain('Alice Approver');
  expect(stdout).toContain('Nothing is missing up to the seal.');
});

/** Every string that Slack would show as it is. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}

/** Every string in which Slack would look for mentions and links. */
function mrkdwnOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own =
    'type' in value && value.type === 'mrkdwn' && 'text' in value && typeof value.text === 'string' ? [value.text] : [];
  return [...own, ...Object.values(value).flatMap(mrkdwnOf)];
}

function aDetectionOf(fileName: string, sid: string, oid: string) {
  const now = Date.now();
  const path = `C:\\Users\\mallory\\Downloads\\${fileName}`;
  const routing = {
    oid,
    sid,
    iid: '7d23bee6-0000-4000-8000-c8e8cca132a1',
    did: '',
    event_id: crypto.randomUUID(),
    event_type: 'NEW_PROCESS',
    event_time: now,
    hostname: 'win-srv-07',
    int_ip: '10.0.0.17',
    ext_ip: '203.0.113.17',
    plat: 268_435_456,
    arch: 2,
    moduleid: 2,
    tags: [],
    this: crypto.randomUUID().replaceAll('-', ''),
    parent: crypto.randomUUID().replaceAll('-', ''),
  };
  return {
    author: 'test',
    cat: 'MyDFIR - HackTool - Lazagne',
    detect: {
      event: {
        FILE_PATH: path,
        COMMAND_LINE: `"${path}" all`,
        PROCESS_ID: 1,
        PARENT_PROCESS_ID: 2,
        USER_NAME: fileName,
      },
      routing,
    },
    detect_id: crypto.randomUUID(),
    detect_mtd: { level: 'high', tags: ['attack.credential_access'] },
    gen_time: now,
    namespace: 'general',
    routing,
    source: `${oid}.${routing.iid}.${sid}.10000000.2`,
    source_rule: 'general.cordon-lazagne',
  };
}
