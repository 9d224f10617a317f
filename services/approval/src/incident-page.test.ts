import { aDetection, aDetectionRaised, anEndpoint } from '@cordon/contracts/builders';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lab, startLab } from './page-lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

describe('facts written by an attacker', () => {
  test.each([
    ['<!channel> <script>alert(1)</script>', undefined],
    [`"><img src=x onerror=alert('1')>`, undefined],
    ['</title></textarea></pre></dl><!-- &amp; &lt;', undefined],
    ['two\nlines', 'two<mark>↵</mark>\nlines'],
    ['exe.\u202Efdp', 'exe.<mark>U+202E</mark>fdp'],
    [
      'nul\u0000 esc\u001B zero\u200Bwidth',
      'nul<mark>U+0000</mark> esc<mark>U+001B</mark> zero<mark>U+200B</mark>width',
    ],
    ['*bold* `code` {{7*7}} ${7*7} javascript:alert(1)', undefined],
  ])('reach every page inert and complete: %j', async (name, shown = escaped(name)) => {
    const endpoint = anEndpoint();
    const hostile = aDetection({
      endpoint,
      hostname: name,
      title: name,
      filePath: `C:\\${name}`,
      commandLine: `run ${name}`,
    });
    const incident = await lab.asked({ detection: hostile });
    await lab.append(aDetectionRaised(aDetection({ endpoint, title: `also ${name}`, commandLine: `then ${name}` })));
    await lab.now(incident);
    const alice = await lab.signedIn({ name });
    const page = await alice.get(`/approvals/${incident.id}`);
    const { action, fields } = page.form(/review/);
    const confirmation = await alice.post(action, { ...fields, choice: 'isolate', reason: `because ${name}` });
    expect(confirmation.status).toBe(200);
    const faulty = await alice.post(action, { ...fields, reason: `because ${name}` });
    expect(faulty.status).toBe(422);
    await expect.poll(async () => (await alice.get('/')).body).toContain(`<strong>${shown}</strong>`);
    const facts = await alice.get(`/approvals/${incident.id}/facts`);
    const pages = [page, confirmation, faulty, facts, await alice.get('/')];
    for (const { body } of pages) {
      expect(body).toContain(shown);
      expect(body).not.toMatch(/<script(?! src="\/assets\/)|<img|<!channel|onerror=alert\('/);
      expect(body.match(/<title>[^<]*<\/title>/g)).toHaveLength(1);
      expect(body.match(/<\/main>/g)).toHaveLength(1);
      const outsideForms = body.replaceAll(/<textarea[\s\S]*?<\/textarea>|<input[^>]*>/g, '');
      expect(outsideForms).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}]/u);
    }
    for (const prefix of ['C:\\', 'run ', 'also ', 'then ']) expect(page.body).toContain(`${prefix}${shown}`);
    expect(faulty.body).toContain(escaped(`because ${name}`).trim()); // given back as it was entered
    await lab.expire(incident);
  });

  test('a command line of 32 KB shows its end, and is there in full on a page of its own', async () => {
    const commandLine = `${'A'.repeat(32_000)}<the end>`;
    const { id } = await lab.asked({ detection: aDetection({ commandLine }) });
    const alice = await lab.signedIn();
    expect((await alice.get(`/approvals/${id}`)).body).toContain(escaped('AAA<the end>'));
    expect((await alice.get(`/approvals/${id}/facts`)).body).toContain(escaped(commandLine));
  });

  test('what is sent to us is what was entered, hidden characters and all', async () => {
    const incident = await lab.asked();
    const alice = await lab.signedIn();
    const { action, fields } = (await alice.get(`/approvals/${incident.id}`)).form(/review/);
    const reason = 'می\u200Cخواهم\nsecond "line" & <more>';
    const { action: decideAction, fields: proof } = (
      await alice.post(action, { ...fields, choice: 'leave', reason })
    ).form(/decide/);
    await alice.post(decideAction, proof);
    expect((await lab.now(incident)).decision?.reason).toBe(reason);
  });
});

test('the history tells the whole story', async () => {
  const incident = await lab.contained();
  const { text } = await (await lab.signedIn()).get(`/approvals/${incident.id}`);
  expect(text).toMatch(
    /History .*Detected.*Team asked.*Decided: isolate by Carol.*LimaCharlie accepted the isolation.*Sensor reports isolated/,
  );
  expect(text).toContain('The sensor on win-srv-07 reports: isolated from the network');
});
