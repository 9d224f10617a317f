import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Detection, sha256 } from '@cordon/contracts';
import { normalize, parseWebhook } from '@cordon/limacharlie';
import { createLogger } from '@cordon/service';
import * as fc from 'fast-check';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REFUSALS } from './answers.ts';
import { aRecord, rawRequest, SECRET, sign, startLab } from './lab.ts';
import { body, nested, SAMPLES } from './mutations.ts';
import { serveWebhooks, type WebhookServer } from './server.ts';
import { createKeeper, type Store } from './store.ts';
import { packingOf, unpack } from './unpack.ts';

/** How many bodies: 20,000 in `npm test`; `CORDON_FUZZ=100000` for all. fast-check prints seed and path of a failure. */
const BODIES = Number(process.env['CORDON_FUZZ'] ?? 20_000);
const REQUESTS = Math.ceil(BODIES / 20);
const TAKES_LONG = 300_000;

const refusal = (error: keyof typeof REFUSALS) => ({ status: REFUSALS[error].status, body: { error } });

test(
  `${BODIES} mutated bodies: each is a detection that is valid, or a problem in words`,
  () => {
    const counts = { detections: 0, problems: 0 };
    fc.assert(
      fc.property(body, (bytes) => {
        const text = bytes.toString('utf8');
        for (const record of parseWebhook(text)) {
          if (!text.includes(record.text)) throw new Error('a record is not what was sent');
          if ('problem' in record) continue;
          const raw = { media_type: 'application/json', sha256: sha256(record.text), size: 1, body: record.text };
          const normalized = normalize(record.value, raw, new Date());
          if ('problem' in normalized) counts.problems++;
          else {
            counts.detections++;
            Detection.parse(normalized.detection);
          }
        }
      }),
      { numRuns: BODIES },
    );
    // A fuzzer whose bodies are all refused at once tests nothing.
    expect(counts.detections).toBeGreaterThan(BODIES / 50);
    expect(counts.problems).toBeGreaterThan(BODIES / 50);
  },
  TAKES_LONG,
);

test(
  `${REQUESTS} bodies that say they are packed: inflated within the limit, or refused`,
  async () => {
    const packed = fc.tuple(body, fc.constantFrom('gzip', 'cut', 'twice', 'not at all'), fc.boolean());
    await fc.assert(
      fc.asyncProperty(packed, async ([bytes, how, isForm]) => {
        const zipped = gzipSync(bytes, { level: 1 });
        const received = { gzip: zipped, cut: zipped.subarray(0, -9), twice: gzipSync(zipped), 'not at all': bytes }[
          how
        ];
        const unpacked = await unpack(received, { isForm, isGzip: true }, 32 * 1024);
        const length = 'refusal' in unpacked ? 0 : unpacked.body.length;
        expect(length).toBeLessThanOrEqual(32 * 1024);
        expect(['taken', 'bad_gzip', 'bad_form', 'too_large']).toContain(
          'refusal' in unpacked ? unpacked.refusal : 'taken',
        );
      }),
      { numRuns: REQUESTS },
    );
  },
  TAKES_LONG,
);

test('any header has a packing or a refusal', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (type, encoding) => {
      expect(Object.keys(packingOf(type, encoding)).length).toBeGreaterThan(0);
    }),
  );
});

describe('the server', () => {
  const ids = new Set<string>();
  const store: Store = {
    quarantine: async ({ sha256 }) => ({ duplicate: ids.size === ids.add(sha256).size }),
    log: {
      append: async ({ id }) => ({ seq: 1, duplicate: ids.size === ids.add(id).size }),
      hasDetection: async (_endpoint, id) => ids.has(id),
      detectionsSince: async () => ids,
    },
  };
  let server: WebhookServer;
  beforeAll(async () => {
    const [log, metrics] = [createLogger('ingest', 'silent'), new Registry()];
    const keeper = createKeeper({ bus: store, log, metrics });
    const address = { host: '127.0.0.1', port: 0 };
    server = await serveWebhooks({ keeper, secrets: [SECRET], ...address, bodyLimitBytes: 32 * 1024, log, metrics });
  });
  afterAll(() => server.close());

  const request = fc.record({
    bytes: body,
    form: fc.boolean(),
    zip: fc.constantFrom('no', 'yes', 'lie'),
    signed: fc.constantFrom('well', 'well', 'other body', 'other secret', 'garbage', 'not'),
    type: fc.constantFrom(
      'application/json',
      'application/json',
      'application/json',
      'text/plain; charset=utf-16',
      'multipart/form-data',
      'a',
    ),
  });

  /** Larger than the limit: hardly any mutation makes a sample so. */
  const tooLarge = {
    bytes: Buffer.alloc(40_000, ' '),
    form: false,
    zip: 'no',
    signed: 'well',
    type: 'application/json',
  } as const;

  test(
    `answers ${REQUESTS} requests definitely, and stores nothing without a valid signature`,
    async () => {
      const answers = new Map<number, number>();
      const statuses = new Set<number>([202, ...Object.values(REFUSALS).map(({ status }) => status)]);
      await fc.assert(
        fc.asyncProperty(request, async ({ bytes, form, zip, signed, type }) => {
          const plain = form ? Buffer.from(new URLSearchParams({ data: bytes.toString('utf8') }).toString()) : bytes;
          const signable = form ? Buffer.from(bytes.toString('utf8')) : bytes;
          const signature = {
            well: sign(signable),
            'other body': sign(`${signable.toString('latin1')} `),
            'other secret': sign(signable, 'guessed'),
            garbage: 'g'.repeat(64),
            not: '',
          }[signed];
          const before = ids.size;
          const response = await fetch(`http://127.0.0.1:${server.port}/webhooks/limacharlie`, {
            method: 'POST',
            body: new Uint8Array(zip === 'yes' ? gzipSync(plain, { level: 1 }) : plain),
            headers: {
              'content-type': form ? 'application/x-www-form-urlencoded' : type,
              ...(zip !== 'no' && { 'content-encoding': 'gzip' }),
              ...(signature && { 'lc-signature': signature }),
            },
          });
          const answer: unknown = await response.json();
          answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
          expect(statuses).toContain(response.status);
          expect(response.status).toBeLessThan(500);
          expect(answer).toHaveProperty('message');
          const isStranger = signed !== 'well';
          expect(isStranger && response.status === 202).toBe(false);
          expect(isStranger && ids.size > before).toBe(false);
        }),
        { numRuns: REQUESTS, examples: [[tooLarge]] },
      );
      expect([...answers.keys()].toSorted((one, other) => one - other)).toEqual([202, 400, 401, 413, 415]);
    },
    TAKES_LONG,
  );
});

describe('over real sockets, before a real broker', () => {
  let lab: Awaited<ReturnType<typeof startLab>>;
  beforeAll(async () => {
    lab = await startLab({ requestTimeoutMs: 1000 });
  });
  afterAll(() => lab[Symbol.asyncDispose]());
  const sample = SAMPLES[0] ?? Buffer.alloc(0);
  const post = async (bytes: Buffer, headers: Record<string, string> = {}) => {
    const { status, body } = await lab.post(bytes, headers);
    return { status, body };
  };
  const quarantined = { status: 202, body: { status: 'quarantined' } };

  test.each([10_000, 150_000])('%i levels deep', async (depth) => {
    for (const bytes of [nested(sample, depth, '[]'), nested(Buffer.from('1'), Math.min(depth, 90_000), '{}')]) {
      expect(await post(bytes)).toMatchObject(quarantined);
      expect(await post(bytes, { 'lc-signature': sign('else') })).toMatchObject(refusal('unauthorized'));
    }
  });

  test('deep inside a field that is read', async () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    const text = JSON.stringify(aRecord()).replace('"level":"high"', `"level":${deep},"tags":[${deep}]`);
    expect(await post(Buffer.from(text))).toMatchObject({ status: 202, body: { status: 'stored' } });
  });

  test('10 MB', async () => {
    for (const signature of [sign(Buffer.alloc(10_000_000, ' ')), 'none']) {
      const answer = await post(Buffer.alloc(10_000_000, ' '), { 'lc-signature': signature });
      expect(answer).toMatchObject(refusal('too_large'));
    }
  });

  test('gzip bombs, many at once, cost neither memory nor the service', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000), { level: 9 });
    const members = Buffer.concat(Array.from({ length: 20 }, () => gzipSync(Buffer.alloc(1_000_000))));
    expect(bomb.length).toBeLessThan(1024 * 1024);
    const before = process.memoryUsage().rss;
    const all = Array.from({ length: 16 }, (_, index) =>
      post(index % 2 ? bomb : members, { 'content-encoding': 'gzip', 'lc-signature': sign(index % 3 ? bomb : 'else') }),
    );
    for (const answer of await Promise.all(all)) expect(answer).toMatchObject(refusal('too_large'));
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  });

  test('invalid UTF-8, lone surrogates and duplicate keys', async () => {
    const invalid = Buffer.concat([sample.subarray(0, 20), Buffer.from('ff80', 'hex'), sample.subarray(20)]);
    expect(await post(invalid)).toMatchObject(quarantined);
    const record = JSON.stringify(aRecord({ cat: '\ud800' })).replace('"detect_id"', '"detect_id":[],"detect_id"');
    expect(await post(Buffer.from(record))).toMatchObject({ status: 202, body: { status: 'stored' } });
  });

  test('slow bodies are ended, and nobody else waits for them', async () => {
    const slow = Array.from({ length: 50 }, () => {
      const head = ['POST /webhooks/limacharlie HTTP/1.1', 'Host: x', `Lc-Signature: ${sign('x')}`];
      const request = [...head, 'Content-Type: application/json', 'Content-Length: 1000', '', ''].join('\r\n');
      return dripping(lab.port, request);
    });
    const began = Date.now();
    expect(await post(Buffer.from(JSON.stringify(aRecord())))).toMatchObject({ status: 202 });
    expect(Date.now() - began).toBeLessThan(1000);
    for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^HTTP\/1.1 408 /);
  });

  test('a request that ends in the middle, and headers without an end', async () => {
    await new Promise<void>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: lab.port }, () => {
        socket.end('POST /webhooks/limacharlie HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nLc-Signature: x\r\n\r\n{');
      });
      socket
        .on('error', () => undefined)
        .on('close', () => resolve())
        .resume();
    });
    expect(await rawRequest(lab.port, `GET / HTTP/1.1\r\n${'a'.repeat(70_000)}`)).toMatch(/^HTTP\/1.1 4\d\d /);
  });

  test('and afterwards only what was signed is there', async () => {
    const { detections, quarantined } = await lab.stored();
    expect(detections).toHaveLength(3);
    expect(quarantined.map(({ problem }) => problem)).toHaveLength(5);
    expect(lab.logLines.join('')).not.toContain(SECRET);
  });
});

/** Sends a head, and then a byte now and then, until there is an answer. */
function dripping(port: number, head: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    let drip: NodeJS.Timeout | undefined;
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.write(head);
      drip = setInterval(() => socket.write(' '), 50);
    });
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(drip);
      resolve(answer);
    });
  });
}
