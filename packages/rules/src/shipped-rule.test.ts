import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { evaluate } from './evaluate.ts';
import { EventRecord, parseRulesFile } from './parse-rule.ts';
import { runTests } from './run-tests.ts';

const read = (path: string): Promise<string> => readFile(new URL(`../${path}`, import.meta.url), 'utf8');
const rules = parseRulesFile(parse(await read('../../deploy/limacharlie/rules.yaml')));
const [stored] = rules;
if (!stored) throw new Error('deploy/limacharlie/rules.yaml holds no rule');

async function fixture(name: string): Promise<EventRecord> {
  const record: unknown = JSON.parse(await read(`fixtures/${name}.json`));
  return z.union([EventRecord, z.object({ detect: EventRecord }).transform(({ detect }) => detect)]).parse(record);
}

test('what LimaCharlie is given is the rule of the playbook, switched on, and it isolates nobody', () => {
  expect(rules).toHaveLength(1);
  expect(stored).toMatchObject({ name: 'cordon-lazagne', enabled: true, tags: ['cordon'] });
  expect(stored.rule.respond).toEqual([
    {
      action: 'report',
      name: 'MyDFIR - HackTool - Lazagne',
      publish: true,
      metadata: {
        author: 'MyDFIR',
        description: 'TEST - Detects Lazagne Usage',
        falsepositives: ['ToTheMoon'],
        level: 'high',
        tags: ['attack.credential_access'],
      },
    },
  ]);
});

test('passes the tests it carries', () => {
  expect(runTests(stored.rule)).toEqual({ passed: 7, failures: [] });
});

test.for([
  'event-new-process-lazagne',
  'detection-lazagne-parent-full-fields',
  'detection-lazagne-child-minimal-fields',
  'detection-lazagne-from-powershell',
])('matches %s', async (name) => {
  expect(evaluate(stored.rule.detect, await fixture(name)).matched).toBe(true);
});

test.for([
  'event-new-process-certutil',
  'event-existing-process',
  'event-network-connections',
  'detection-false-positive-pushtoinstall',
  'detection-managed-rule-encoded-powershell',
  'detection-network-connections-mshta-anonymised',
  'detection-legacy-2018-linux-starting-up',
])('does not match %s', async (name) => {
  expect(evaluate(stored.rule.detect, await fixture(name)).matched).toBe(false);
});

test('each of the three signs is enough on its own, whatever the case', async () => {
  const { event, routing } = await fixture('event-new-process-certutil');
  const matches = (change: Record<string, string>): boolean =>
    evaluate(stored.rule.detect, { event: { ...event, ...change }, routing }).matched;
  expect(matches({ FILE_PATH: 'C:\\x\\lAzAgNe.ExE' })).toBe(true);
  expect(matches({ COMMAND_LINE: 'x.exe --name LAZAGNE' })).toBe(true);
  expect(matches({ HASH: '3CC5EE93A9BA1FC57389705283B760C8BD61F35E9398BBFA3210E2BECF6D4B05' })).toBe(true);
  expect(matches({ FILE_PATH: 'C:\\x\\lazagne.exe.txt' })).toBe(false);
});

test('shows which conditions matched, as the console does', async () => {
  const { trace } = evaluate(stored.rule.detect, await fixture('event-new-process-lazagne'));
  expect(trace.map((line) => line.slice(0, line.indexOf('{')))).toEqual([
    'true => (is windows) ',
    'true => (~ends with) ',
    'true => (or) ',
    'true => (and) ',
  ]);
});

test('the output sends only what this rule raises, signed, to the path ingest serves', async () => {
  expect(parse(await read('../../deploy/limacharlie/outputs.yaml'))).toEqual({
    version: 3,
    outputs: {
      'cordon-detections': {
        for: 'detect',
        module: 'webhook',
        dest_host: 'https://cordon.example.com/webhooks/limacharlie',
        secret_key: 'hive://secret/cordon-webhook',
        rule_tag_white_list: 'cordon',
      },
    },
  });
});

test('the index includes every file beside it', async () => {
  expect(parse(await read('../../deploy/limacharlie/index.yaml'))).toMatchObject({
    version: 3,
    include: ['outputs.yaml', 'rules.yaml', 'installation_keys.yaml'],
  });
});
