import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REFUSALS } from './answers.ts';
import { aRecord, rawRequest, SECRET, sign, startLab, textOf } from './lab.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const form = (data: string) => new URLSearchParams({ data }).toString();

let lab: Awaited<ReturnType<typeof startLab>>;
beforeAll(async () => {
  lab = await startLab({ bodyLimitBytes: 64 * 1024, secrets: ['the-new-secret', SECRET], requestTimeoutMs: 500 });
});
afterAll(() => lab[Symbol.asyncDispose]());

const refusal = (name: keyof typeof REFUSALS) => ({
  status: REFUSALS[name].status,
  body: { error: name, message: REFUSALS[name].message },
});
const request = (head: string[], body = '') =>
  rawRequest(lab.port, `${[...head, 'Host: x', '', ''].join('\r\n')}${body}`);

describe('202', () => {
  test('a detection', async () => {
    const body = { status: 'stored', message: 'Stored. There is nothing left to do.' };
    expect(await lab.post(JSON.stringify(aRecord()))).toMatchObject({ status: 202, body });
  });

  test('the same again', async () => {
    const text = JSON.stringify(aRecord());
    await lab.post(text);
    expect(await lab.post(text)).toMatchObject({ status: 202, body: { status: 'duplicate' } });
  });

  test('a form', async () => {
    const text = JSON.stringify(aRecord({ cat: 'ü + % & = "\u{1F480}"' }));
    const answer = await lab.post(form(text), { ...FORM, 'lc-signature': sign(text) });
    expect(answer).toMatchObject({ status: 202, body: { status: 'stored' } });
  });

  test.each(['application/json; charset=utf-8', 'application/x-ndjson', 'text/plain', 'Application/JSON'])(
    'the type %s',
    async (type) => {
      const answer = await lab.post(JSON.stringify(aRecord()), { 'content-type': type });
      expect(answer).toMatchObject({ status: 202, body: { status: 'stored' } });
    },
  );

  test('without a type', async () => {
    const text = JSON.stringify(aRecord());
    const head = [`Lc-Signature: ${sign(text)}`, `Content-Length: ${text.length}`];
    expect(await request(['POST /webhooks/limacharlie?x=1 HTTP/1.1', ...head], text)).toContain('"status":"stored"');
  });

  test.each(['as received', 'inflated'])('gzip, signed %s', async (how) => {
    const text = JSON.stringify(aRecord());
    const zipped = gzipSync(text);
    const signature = sign(how === 'inflated' ? text : zipped);
    const answer = await lab.post(zipped, { 'content-encoding': 'gzip', 'lc-signature': signature });
    expect(answer).toMatchObject({ status: 202, body: { status: 'stored' } });
  });

  test('signed with either secret, in either case', async () => {
    const text = JSON.stringify(aRecord());
    const upper = await lab.post(text, { 'lc-signature': sign(text).toUpperCase() });
    const other = await lab.post(text, { 'lc-signature': sign(text, 'the-new-secret') });
    expect([upper.status, other.status]).toEqual([202, 202]);
  });

  test('chunked', async () => {
    const text = JSON.stringify(aRecord());
    const head = [`Lc-Signature: ${sign(text)}`, 'Transfer-Encoding: chunked', 'Content-Type: application/json'];
    const chunks = `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
    expect(await request(['POST /webhooks/limacharlie HTTP/1.1', ...head], chunks)).toContain('"status":"stored"');
  });

  test.each([
    ['no JSON', 'hello', 'The body is neither JSON nor JSON objects one per line.'],
    ['another stream', '{"routing":{"event_type":"NEW_PROCESS"},"event":{}}', '`cat` is missing'],
    ['an empty list', '[]', 'The body is a JSON array without any record.'],
  ])('%s goes into quarantine', async (_name, text, problem) => {
    const answer = await lab.post(text);
    expect(answer).toMatchObject({ status: 202, body: { status: 'quarantined' } });
    const { quarantined } = await lab.stored();
    const kept = quarantined.find((record) => textOf(record) === text);
    expect(kept?.problem).toContain(problem);
    expect(kept?.mediaType).toBe('application/json');
  });

  test('bytes that are no text go into quarantine as they are', async () => {
    const bytes = Buffer.from('7b2261223a22ff227d', 'hex');
    expect(await lab.post(bytes)).toMatchObject({ status: 202, body: { status: 'quarantined' } });
    const { quarantined } = await lab.stored();
    expect(quarantined.map(({ body }) => body)).toContain(bytes.toString('base64'));
  });
});

describe('400', () => {
  test.each(['', ' \r\n'])('an empty body: %j', async (text) => {
    expect(await lab.post(text)).toMatchObject(refusal('empty'));
  });

  test.each(['text={}', 'data={}&data={}', '{"cat":"x"}'])('a form that is none: %s', async (text) => {
    expect(await lab.post(text, FORM)).toMatchObject(refusal('bad_form'));
  });

  test('gzip that is none', async () => {
    expect(await lab.post('{}', { 'content-encoding': 'gzip' })).toMatchObject(refusal('bad_gzip'));
  });
});

describe('401', () => {
  const text = JSON.stringify(aRecord());
  test.each([
    ['no signature', ''],
    ['not hex', 'z'.repeat(64)],
    ['too short', sign(text).slice(2)],
    ['too long', `${sign(text)}00`],
    ['of something else', sign(`${text} `)],
    ['with another secret', sign(text, 'guessed')],
  ])('%s', async (_name, signature) => {
    expect(await lab.post(text, { 'lc-signature': signature })).toMatchObject(refusal('unauthorized'));
  });

  test('a form whose encoded text is signed', async () => {
    expect(await lab.post(form(text), FORM)).toMatchObject(refusal('unauthorized'));
  });

  test('gzip that is none, from a stranger', async () => {
    const headers = { 'content-encoding': 'gzip', 'lc-signature': sign('else') };
    expect(await lab.post('{}', headers)).toMatchObject(refusal('unauthorized'));
  });

  test('stores nothing', async () => {
    const { detections, quarantined } = await lab.stored();
    expect(JSON.stringify(detections)).not.toContain(JSON.parse(text).detect_id);
    expect(quarantined.map(textOf).join()).not.toContain(JSON.parse(text).detect_id);
  });
});

describe('405', () => {
  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND'])('%s', async (method) => {
    const answer = await request([`${method} /webhooks/limacharlie?x=1 HTTP/1.1`, 'Connection: close']);
    expect(answer).toMatch(/^HTTP\/1.1 405 .*\r\nallow: POST\r\n/s);
  });

  test('whatever the body is', async () => {
    const url = `http://127.0.0.1:${lab.port}/webhooks/limacharlie`;
    const response = await fetch(url, { method: 'PUT', body: '<a/>', headers: { 'content-type': 'text/xml' } });
    expect({ status: response.status, body: await response.json() }).toEqual(refusal('method_not_allowed'));
  });
});

test('404 elsewhere', async () => {
  const response = await fetch(`http://127.0.0.1:${lab.port}/`, { method: 'POST', body: '{}' });
  expect({ status: response.status, body: await response.json() }).toEqual(refusal('not_found'));
});

test('408 for a body that does not come', async () => {
  const head = [`Lc-Signature: ${sign('{}')}`, 'Content-Length: 2', 'Content-Type: application/json'];
  expect(await request(['POST /webhooks/limacharlie HTTP/1.1', ...head], '{')).toMatch(
    /^HTTP\/1.1 408 .*"error":"timeout"/s,
  );
});

test('400 for what is no HTTP', async () => {
  expect(await rawRequest(lab.port, 'hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*"error":"bad_request"/s);
});

test('411 without a length', async () => {
  const answer = await request(['POST /webhooks/limacharlie HTTP/1.1', `Lc-Signature: ${sign('')}`]);
  expect(answer).toMatch(/^HTTP\/1.1 411 .*"error":"length_required"/s);
});

describe('413', () => {
  test.each([70_000, 5_000_000])('%i bytes', async (size) => {
    expect(await lab.post(`"${'x'.repeat(size)}"`)).toMatchObject(refusal('too_large'));
  });

  test('few bytes that inflate to many', async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    expect(bomb.length).toBeLessThan(2_000);
    expect(await lab.post(bomb, { 'content-encoding': 'gzip' })).toMatchObject(refusal('too_large'));
  });
});

describe('415', () => {
  test.each(['application/xml', 'multipart/form-data; boundary=x', 'nonsense'])('the type %s', async (type) => {
    expect(await lab.post('{}', { 'content-type': type })).toMatchObject(refusal('unsupported_type'));
  });

  test.each(['br', 'deflate', 'gzip, gzip'])('the encoding %s', async (encoding) => {
    const answer = await lab.post('{}', { 'content-encoding': encoding });
    expect(answer).toMatchObject(refusal('unsupported_encoding'));
    expect(answer.headers.get('accept-encoding')).toBe('gzip');
  });
});

test('every answer is counted, and no secret is logged', async () => {
  const counted = await lab.metric('cordon_webhook_requests_total');
  const outcomes = counted.map(({ labels }) => labels['outcome']);
  const possible = ['stored', 'duplicate', 'quarantined', ...Object.keys(REFUSALS)];
  const notHere = ['failed', 'unavailable'];
  expect(new Set(outcomes)).toEqual(new Set(possible.filter((name) => !notHere.includes(name))));
  expect(lab.logLines.join()).not.toContain(SECRET);
});
