import { parseRule, type EventRecord } from '@cordon/rules';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LimaCharlieSandbox } from './limacharlie.ts';
import { startLimaCharlie } from './limacharlie.ts';
import { loadRules } from './load-rules.ts';
import { startWindowsMachine, type WindowsMachine } from './windows.ts';

const oid = '8cbe27f4-1111-4111-8111-138cd51389cd';
const sid = 'bb4b30af-3333-4333-8333-f014ada33345';
const lazagneHash = '3cc5ee93a9ba1fc57389705283b760c8bd61f35e9398bbfa3210e2becf6d4b05';

let cloud: LimaCharlieSandbox;
let machine: WindowsMachine;
let raised: Record<string, unknown>[];

beforeEach(async () => {
  raised = [];
  cloud = await startLimaCharlie({ oid, apiKey: 'key', sensors: [{ sid, hostname: 'WIN-SRV-01', tags: ['windows'] }] });
  machine = startWindowsMachine({
    hostname: 'WIN-SRV-01',
    sid,
    rules: loadRules(),
    relaunchMs: 10,
    limaCharlie: {
      ...cloud,
      raise: (detection) => {
        raised.push(detection);
        return cloud.raise(detection);
      },
    },
  });
});
afterEach(async () => {
  await machine.close();
  await cloud.close();
});

async function run(commandLine: string): Promise<string> {
  const { output } = machine.run(commandLine);
  await machine.settled();
  return output;
}

const paths = (): unknown[] => machine.events.map(({ event }) => event['FILE_PATH']);

test('one run of LaZagne is two processes and two detections, parent then child', async () => {
  expect(await run('.\\LaZagne.exe all')).toContain('The LaZagne Project');
  const [parent, child]: (EventRecord | undefined)[] = [...machine.events];

  expect(parent?.event).toEqual({
    BASE_ADDRESS: expect.any(Number),
    COMMAND_LINE: '"C:\\Users\\mallory\\Downloads\\LaZagne.exe" all',
    FILE_IS_SIGNED: 0,
    FILE_PATH: 'C:\\Users\\mallory\\Downloads\\LaZagne.exe',
    HASH: lazagneHash,
    MEMORY_USAGE: expect.any(Number),
    PARENT: expect.objectContaining({ FILE_PATH: expect.stringMatching(/powershell\.exe$/), FILE_IS_SIGNED: 1 }),
    PARENT_PROCESS_ID: expect.any(Number),
    PROCESS_ID: expect.any(Number),
    THREADS: expect.any(Number),
    USER_NAME: 'WIN-SRV-01\\mallory',
  });
  expect(Object.keys(child?.event ?? {})).toEqual(
    'COMMAND_LINE FILE_IS_SIGNED FILE_PATH HASH PARENT PARENT_PROCESS_ID PROCESS_ID'.split(' '),
  );
  expect(child?.event).toMatchObject({
    PARENT: {
      THIS_ATOM: parent?.routing['this'],
      PARENT_ATOM: parent?.routing['parent'],
      PROCESS_ID: parent?.event['PROCESS_ID'],
      COMMAND_LINE: parent?.event['COMMAND_LINE'],
      USER_NAME: 'WIN-SRV-01\\mallory',
    },
    PARENT_PROCESS_ID: parent?.event['PROCESS_ID'],
  });
  expect(Object.keys(Object(child?.event['PARENT']))).toHaveLength(13);
  expect(child?.routing['parent']).toBe(parent?.routing['this']);
  expect(child?.routing['event_time']).toBe(Number(parent?.routing['event_time']) + 10);
  expect(Object.keys(child?.routing ?? {})).toHaveLength(17);

  expect(raised.map(({ detect }) => detect)).toEqual([parent, child]);
});

test('a detection has the full shape', async () => {
  await run('.\\LaZagne.exe all');
  const [detection] = raised;
  expect(Object.keys(detection ?? {})).toEqual(Object.keys(detection ?? {}).toSorted());
  expect(detection).toEqual({
    author: 'analyst@example.com',
    cat: 'MyDFIR - HackTool - Lazagne',
    detect: machine.events[0],
    detect_id: expect.stringMatching(/^[\da-f-]{36}$/),
    detect_mtd: {
      author: 'MyDFIR',
      description: 'TEST - Detects Lazagne Usage',
      falsepositives: ['ToTheMoon'],
      level: 'high',
      tags: ['attack.credential_access'],
    },
    gen_time: expect.any(Number),
    link: expect.stringMatching(
      new RegExp(
        `^https://app\\.limacharlie\\.io/orgs/${oid}/sensors/${sid}/timeline\\?time=\\d{10}&selected=[\\da-f]{32}$`,
      ),
    ),
    namespace: 'general',
    routing: expect.objectContaining({
      hostname: 'win-srv-01',
      plat: 268435456,
      sid,
      tags: ['windows'],
      this: expect.stringMatching(/^[\da-f]{32}$/),
    }),
    rule_tags: ['cordon'],
    source: `${oid}.7d23bee6-0000-4000-8000-c8e8cca132a1.${sid}.10000000.2`,
    source_rule: 'general.cordon-lazagne',
  });
});

test.for([
  ['another case', '.\\lAzAgNe.EXE', 2],
  ['its full path', 'C:\\Users\\mallory\\Downloads\\LaZagne.exe browsers', 2],
  ['quotes', '& ".\\LaZagne.exe" all', 2],
  ['another program that only names it', '.\\dump.exe --like lazagne', 1],
  ['a program of Windows that only names it', 'ping lazagne.example', 1],
  ['a harmless program', '.\\setup.exe /all', 0],
  ['a harmless program of Windows', 'whoami /all', 0],
  ['no path, which PowerShell does not run', 'LaZagne.exe all', 0],
] as const)('run with %s', async ([, commandLine, detections]) => {
  await run(commandLine);
  expect(raised).toHaveLength(detections);
});

test('a renamed copy is given away by its hash', async () => {
  await run('copy LaZagne.exe update.exe');
  expect(await run('dir')).toContain('update.exe');
  await run('.\\update.exe');
  expect(raised).toHaveLength(2);
  expect(machine.events[0]?.event).toMatchObject({
    FILE_PATH: 'C:\\Users\\mallory\\Downloads\\update.exe',
    HASH: lazagneHash,
  });
});

test.for([
  '<!channel> <script>LaZagne.exe',
  'a\nb\r\n*LaZagne.exe',
  '=cmd|calc!A1 \u202eLaZagne.exe',
  "it's `$LaZagne.exe",
])('a hostile name is reported as it is: %j', async (name) => {
  await run(`.\\${name} all`);
  expect(paths()).toEqual([`C:\\Users\\mallory\\Downloads\\${name}`, `C:\\Users\\mallory\\Downloads\\${name}`]);
  expect(raised).toHaveLength(2);
});

test('an isolated machine, or one that is offline, reaches nothing but still runs programs', async () => {
  expect(await run('ping example.com')).toContain('Received = 4');
  expect(await run('curl https://example.com')).toContain('200');

  cloud.setIsolated(sid, true);
  expect(await run('ping example.com')).toContain('could not find host');
  expect(await run('ping 203.0.113.1')).toContain('100% loss');
  expect(await run('iwr https://example.com')).toContain('Unable to connect');
  await run('.\\LaZagne.exe all');
  expect(raised).toHaveLength(2);

  cloud.setIsolated(sid, false);
  cloud.setOnline(sid, false);
  expect(machine.run('ping 203.0.113.1').output).toContain('100% loss');
});

test('what happens while the sensor is offline is detected when it is back', async () => {
  cloud.setOnline(sid, false);
  machine.run('.\\LaZagne.exe all');
  await expect.poll(() => machine.events.length).toBe(2);
  expect(raised).toEqual([]);
  cloud.setOnline(sid, true);
  await machine.settled();
  expect(raised).toHaveLength(2);
  expect(raised[0]).toMatchObject({ routing: { latency: expect.any(Number) } });
});

test('a rule that is switched off, or that reports nothing, raises nothing', async () => {
  const detect = { op: 'is windows' };
  const rules = [
    {
      name: 'off',
      enabled: false,
      tags: [],
      rule: parseRule({ detect, respond: [{ action: 'report', name: 'off' }] }),
    },
    {
      name: 'silent',
      enabled: true,
      tags: [],
      rule: parseRule({ detect, respond: [{ action: 'add tag', tag: 'x' }] }),
    },
    {
      name: 'unpublished',
      enabled: true,
      tags: [],
      rule: parseRule({ detect, respond: [{ action: 'report', name: 'x', publish: false }] }),
    },
    {
      name: 'loud',
      enabled: true,
      tags: [],
      rule: parseRule({ detect, respond: [{ action: 'report', name: 'y', priority: 4 }] }),
    },
  ];
  const limaCharlie = {
    ...cloud,
    raise: async (record: Record<string, unknown>) => cloud.raise((raised.push(record), record)),
  };
  await using machine = startWindowsMachine({ hostname: 'a', sid, limaCharlie, rules });
  machine.run('hostname');
  await machine.settled();
  expect(raised).toMatchObject([{ cat: 'y', priority: 4, source_rule: 'general.loud' }]);
  expect(raised[0]).not.toHaveProperty('rule_tags');
  expect(raised[0]).not.toHaveProperty('detect_mtd');
});

test('the prompt knows a few commands, and says of others that it does not', async () => {
  expect(machine.prompt).toBe('PS C:\\Users\\mallory\\Downloads>');
  expect(await run('whoami')).toBe('win-srv-01\\mallory');
  expect(await run('HOSTNAME')).toBe('WIN-SRV-01');
  expect(await run('ipconfig')).toContain('10.0.0.10');
  expect(await run('ls')).toContain('LaZagne.exe');
  expect(await run('help')).toContain('LaZagne.exe all');
  expect(await run('cls')).toBe('\f');
  expect(await run('  ')).toBe('');
  expect(await run('rm -rf /')).toContain("The term 'rm' is not recognized");
  expect(await run('copy nothing.exe x.exe')).toContain('Cannot find path');
  expect(paths()).toEqual(
    ['whoami.exe', 'hostname.exe', 'ipconfig.exe'].map((name) => `C:\\Windows\\System32\\${name}`),
  );
});

test('switched off, it does not relaunch anything', async () => {
  machine.run('.\\LaZagne.exe all');
  await machine.close();
  await machine.settled();
  expect(raised).toHaveLength(1);
});

test('a machine needs a sensor the cloud knows', () => {
  const options = { hostname: 'a', sid: 'bb4b30af-3333-4333-8333-000000000000', limaCharlie: cloud, rules: [] };
  expect(() => startWindowsMachine(options)).toThrow('no sensor');
});
