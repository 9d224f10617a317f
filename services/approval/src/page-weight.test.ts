import { randomUUID } from 'node:crypto';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { STYLE } from './assets.ts';
import { type Lab, startLab } from './page-lab.ts';

/** Somebody reads this on a phone, in a lift: markup and style together stay under 30 KB. */
const MOST = 30_000;

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

/** A command line as attackers write them: long, quoted, encoded. */
function longLine(length: number): string {
  const start = `powershell.exe -NoProfile -Command "& { iex 'a && b' } -Id ${randomUUID()} -EncodedCommand `;
  return start.padEnd(length - 'the end'.length, 'SQBFAFgAIAAoAE4AZQB3AC0A').concat('the end');
}

test('every page is small, and the question is half of that', async () => {
  const [open, contained] = [await lab.asked(), await lab.contained()];
  const alice = await lab.signedIn();
  const weigh = async (path: string): Promise<number> => Buffer.byteLength((await alice.get(path)).body + STYLE.body);
  expect(await weigh(`/approvals/${open.id}`)).toBeLessThan(MOST / 2);
  for (const path of ['/', `/approvals/${contained.id}`, `/approvals/${contained.id}/release`])
    expect(await weigh(path)).toBeLessThan(MOST);
});

test('twenty findings with long command lines fit too, and nothing is out of reach', async () => {
  const lines = Array.from({ length: 20 }, () => longLine(32_768));
  const first = aDetection({ commandLine: lines[0] ?? '' });
  const endpoint = { tenantId: first.metadata.tenant_uid, endpointId: first.device.uid };
  const { id } = await lab.asked({ detection: first });
  for (const commandLine of lines.slice(1)) await lab.append(aDetectionRaised(aDetection({ endpoint, commandLine })));
  await lab.now(endpoint);

  const alice = await lab.signedIn();
  const page = await alice.get(`/approvals/${id}`);
  expect(Buffer.byteLength(page.body + STYLE.body)).toBeLessThan(MOST);
  expect(page.text).toContain('… 30768 more characters …');
  expect(page.text.split('the end')).toHaveLength(lines.length + 1);
  expect(page.body.split(`href="/approvals/${id}/facts"`)).toHaveLength(lines.length + 1);
  const { text } = await alice.get(`/approvals/${id}/facts`);
  for (const line of lines) expect(text).toContain(line);
});

test('the facts in full are for those who are signed in', async () => {
  const { id } = await lab.asked();
  const page = await lab.app.inject({ url: `/approvals/${id}/facts` });
  expect(page.statusCode).toBe(302);
  expect(page.headers.location).toBe(`/login?to=${encodeURIComponent(`/approvals/${id}/facts`)}`);
  expect((await (await lab.signedIn()).get(`/approvals/${'0'.repeat(32)}/facts`)).status).toBe(404);
});
