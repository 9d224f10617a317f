import { createHmac, randomUUID } from 'node:crypto';
import { Pool } from 'undici';

export type Signed = { body: string; signature: string; detectId: string };

/** A signed webhook about one host, as LimaCharlie sends them, with ids of its own. */
export function aWebhook(
  secret: string,
  {
    oid,
    sid,
    hostname = 'bench-host',
    commandLine,
  }: { oid: string; sid: string; hostname?: string; commandLine?: string },
): Signed {
  const now = Date.now();
  const detectId = randomUUID();
  const path = 'C:\\Users\\mallory\\Downloads\\LaZagne.exe';
  const routing = {
    arch: 2,
    did: '',
    event_id: randomUUID(),
    event_time: now,
    event_type: 'NEW_PROCESS',
    ext_ip: '203.0.113.10',
    hostname,
    iid: '5a0f6d63-9395-4c9e-b7ee-e7ea36b68593',
    int_ip: '10.0.0.10',
    latency: 558,
    moduleid: 2,
    oid,
    parent: '5d0c7f1be2a84c6693b1ad50694744f0',
    plat: 268_435_456,
    sid,
    tags: ['windows', 'server'],
    this: randomUUID().replaceAll('-', ''),
  };
  const parent = {
    COMMAND_LINE: '"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe" ',
    FILE_IS_SIGNED: 1,
    FILE_PATH: 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe',
    HASH: '38f4384643b3fa0de714d2367b712c2e0fa1c89e2cfd131ae6b831ad962b1033',
    PROCESS_ID: 1152,
    THIS_ATOM: '470e26f52fb40f933a9b0de7694744e9',
    USER_NAME: 'CORP\\mallory',
  };
  const event = {
    BASE_ADDRESS: 140_700_651_356_160,
    COMMAND_LINE: commandLine ?? `"${path}" all`,
    FILE_IS_SIGNED: 0,
    FILE_PATH: path,
    HASH: '3cc5ee93a9ba1fc57389705283b760c8bd61f35e9398bbfa3210e2becf6d4b05',
    MEMORY_USAGE: 4_956_160,
    PARENT: parent,
    PARENT_PROCESS_ID: 1152,
    PROCESS_ID: 988,
    THREADS: 2,
    USER_NAME: 'CORP\\mallory',
  };
  const body = JSON.stringify({
    author: 'analyst@example.com',
    cat: 'MyDFIR - HackTool - Lazagne',
    detect: { event, routing },
    detect_id: detectId,
    detect_mtd: {
      author: 'MyDFIR',
      description: 'TEST - Detects Lazagne Usage',
      falsepositives: ['ToTheMoon'],
      level: 'high',
      tags: ['attack.credential_access'],
    },
    gen_time: now,
    link: `https://app.limacharlie.io/orgs/${oid}/sensors/${sid}/timeline?time=${Math.floor(now / 1000)}`,
    namespace: 'general',
    routing,
    source: `${oid}.5a0f6d63-9395-4c9e-b7ee-e7ea36b68593.${sid}.10000000.2`,
    source_rule: 'general.cordon-lazagne',
  });
  return { body, signature: createHmac('sha256', secret).update(body).digest('hex'), detectId };
}

/** Posts for `seconds` with `connections` requests in flight. Returns accepted per second. Throws on any other answer. */
export async function throughput(
  origin: string,
  next: () => Signed,
  { connections, seconds }: { connections: number; seconds: number },
): Promise<number> {
  const pool = new Pool(origin, { connections });
  const end = performance.now() + seconds * 1000;
  let accepted = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      await post(pool, next());
      accepted++;
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: connections }, lane));
  const rate = accepted / ((performance.now() - start) / 1000);
  await pool.close();
  return rate;
}

/** Posts one webhook. Throws unless it was accepted. */
export async function post(pool: Pool, { body, signature }: Signed): Promise<void> {
  const answer = await pool.request({
    path: '/webhooks/limacharlie',
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'lc-signature': signature },
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 202) throw new Error(`webhook answered ${answer.statusCode}: ${text}`);
}

/** The value below which this share of the values lies. */
export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
