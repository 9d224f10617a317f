import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Mail, startMail } from '@cordon/sandbox';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { connectMailer, MailError, type Mailer } from './email.ts';
import type { MailFailure } from './mail-failure.ts';

const CONTENT = { subject: 'Isolate?', text: 'Isolate?\n', html: '<p>Isolate?</p>', urgent: true };
const ANSWER_MS = 1000;
const connectTo = (
  { port }: Pick<Mail, 'port'>,
  more: { requireTls?: boolean; auth?: { user: string; pass: string } } = {},
): Mailer =>
  connectMailer(
    {
      server: { host: '127.0.0.1', port, secure: false, ...(more.auth && { auth: more.auth }) },
      requireTls: more.requireTls ?? false,
      from: { name: 'Cordon', address: 'cordon@cordon.example.com' },
      to: ['soc@example.com'],
    },
    ANSWER_MS,
  );

async function failureOf(mailer: Mailer): Promise<MailFailure> {
  const error = await mailer.send('soc@example.com', CONTENT, { messageId: '<a@example.com>' }).then(
    () => new Error('it worked'),
    (reason: unknown) => reason,
  );
  mailer.close();
  if (!(error instanceof MailError)) throw error;
  return error.failure;
}

test.each([
  [{ kind: 'reply', code: 451, stage: 'mail' }, 'deferred'],
  [{ kind: 'reply', code: 550, stage: 'mail' }, 'misconfigured'],
  [{ kind: 'reply', code: 450, stage: 'rcpt' }, 'deferred'],
  [{ kind: 'reply', code: 550, stage: 'rcpt' }, 'refused'],
  [{ kind: 'reply', code: 451, stage: 'data' }, 'deferred'],
  [{ kind: 'reply', code: 554, stage: 'data' }, 'refused'],
  [{ kind: 'drop', stage: 'rcpt' }, 'down'],
  [{ kind: 'drop', stage: 'data', stored: true }, 'unknown'],
  [{ kind: 'hang', stage: 'rcpt' }, 'down'],
  [{ kind: 'hang', stage: 'data' }, 'unknown'],
  [{ kind: 'down' }, 'down'],
] as const)('%j is %s', async (fault, kind) => {
  await using mail = await startMail();
  mail.faults.add(fault);
  expect(await failureOf(connectTo(mail))).toMatchObject({ kind });
});

test('a refused login and a refused encryption are matters of configuration', async () => {
  await using mail = await startMail();
  expect(await failureOf(connectTo(mail, { requireTls: true }))).toMatchObject({ kind: 'misconfigured' });
  mail.faults.add({ kind: 'reply', code: 535, stage: 'auth' });
  const failure = await failureOf(connectTo(mail, { auth: { user: 'cordon', pass: 'wrong' } }));
  expect(failure).toMatchObject({ kind: 'misconfigured' });
  expect(JSON.stringify(failure)).not.toContain('wrong');
});

test('a server that is not there is down', async () => {
  const mail = await startMail();
  await mail.close();
  expect(await failureOf(connectTo(mail))).toMatchObject({ kind: 'down' });
});

/** A mail server that goes on while this thread stands still. It tells of its port, and then of each mail that it keeps. */
const ELSEWHERE = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.sandbox).then(async ({ startMail }) => {
    const mail = await startMail();
    mail.faults.add(workerData.fault);
    parentPort.postMessage(mail.port);
    const told = setInterval(() => {
      if (mail.mails().length === 0) return;
      clearInterval(told);
      parentPort.postMessage('kept');
    }, 5);
  });`;

test('an answer that comes while the process is stopped is read, however late by the clock', async () => {
  const fault = { kind: 'slow', stage: 'data', delayMs: 300 };
  const worker = new Worker(ELSEWHERE, {
    eval: true,
    workerData: { sandbox: new URL('../../../packages/sandbox/src/mail.ts', import.meta.url).href, fault },
  });
  try {
    const [port] = z.tuple([z.int()]).parse(await once(worker, 'message'));
    const mailer = connectTo({ port });
    const sent = mailer.send('soc@example.com', CONTENT, { messageId: '<a@example.com>' });
    await once(worker, 'message');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * ANSWER_MS); // as SIGSTOP does
    expect(await sent).toBe('<a@example.com>');
    mailer.close();
  } finally {
    await worker.terminate();
  }
});

test('one recipient, both parts, a name that stays, and quiet for machines', async () => {
  await using mail = await startMail();
  const mailer = connectTo(mail);
  const messageId = mailer.messageId('a/b', 'question');
  expect(await mailer.send('soc@example.com', CONTENT, { messageId, root: '<root@example.com>' })).toBe(messageId);
  mailer.close();
  expect(mail.mails()).toMatchObject([
    {
      messageId: '<cordon.a-b.question@cordon.example.com>',
      inReplyTo: '<root@example.com>',
      from: '"Cordon" <cordon@cordon.example.com>',
      recipients: ['soc@example.com'],
      text: 'Isolate?',
      html: '<p>Isolate?</p>',
      headers: { 'auto-submitted': 'auto-generated', importance: 'High' },
    },
  ]);
});
