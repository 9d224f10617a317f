import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify from 'fastify';
import { createTransport, type SendMailOptions } from 'nodemailer';
import { expect, test } from 'vitest';
import { mailControls, startMail, type Mail, type MailFault } from './mail.ts';

function transportTo(mail: Mail, own: { auth?: { user: string; pass: string }; socketTimeout?: number } = {}) {
  return createTransport({
    host: '127.0.0.1',
    port: mail.port,
    ignoreTLS: true,
    greetingTimeout: 500,
    socketTimeout: 500,
    ...own,
  });
}

const aMail = (mail: SendMailOptions = {}): SendMailOptions => ({
  from: { name: 'Cordon', address: 'cordon@example.com' },
  to: 'soc@example.com',
  subject: '[Cordon] HIGH LaZagne on WS-42',
  text: 'Isolate WS-42?',
  messageId: '<n1.r1@cordon.example.com>',
  ...mail,
});

test('keeps what a mail says', async () => {
  await using mail = await startMail();
  await transportTo(mail, { auth: { user: 'cordon', pass: 'any' } }).sendMail(
    aMail({
      html: '<p>Isolate <b>WS-42</b>?</p>',
      inReplyTo: '<n0@cordon.example.com>',
      references: ['<a@cordon.example.com>', '<n0@cordon.example.com>'],
      headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    }),
  );
  expect(mail.mails()).toMatchObject([
    {
      id: '1',
      messageId: '<n1.r1@cordon.example.com>',
      inReplyTo: '<n0@cordon.example.com>',
      references: ['<a@cordon.example.com>', '<n0@cordon.example.com>'],
      from: '"Cordon" <cordon@example.com>',
      to: 'soc@example.com',
      recipients: ['soc@example.com'],
      subject: '[Cordon] HIGH LaZagne on WS-42',
      text: 'Isolate WS-42?',
      html: '<p>Isolate <b>WS-42</b>?</p>',
      headers: { 'auto-submitted': 'auto-generated', 'x-auto-response-suppress': 'All' },
      deliveries: 1,
    },
  ]);
});

test('a mail sent again is one mail with two deliveries; one to somebody else is another mail', async () => {
  await using mail = await startMail();
  const transport = transportTo(mail);
  mail.faults.add({ kind: 'drop', stage: 'data', stored: true, times: 1 });
  await expect(transport.sendMail(aMail())).rejects.toMatchObject({ code: 'ECONNECTION' });
  await transport.sendMail(aMail());
  await transport.sendMail(aMail({ to: 'ciso@example.com' }));
  expect(mail.mails().map(({ recipients, deliveries }) => [recipients, deliveries])).toEqual([
    [['soc@example.com'], 2],
    [['ciso@example.com'], 1],
  ]);
});

test('remembers of each copy whether it told the sender that it was taken', async () => {
  await using mail = await startMail();
  const transport = transportTo(mail);
  const patient = transportTo(mail, { socketTimeout: 20_000 });
  const copies = (): (boolean[] | undefined)[] => mail.mails().map((one) => one.copies.map(({ answered }) => answered));
  mail.faults.add({ kind: 'hang', stage: 'data', stored: true, times: 1 });
  mail.faults.add({ kind: 'slow', stage: 'data', delayMs: 3000, times: 1 }); // the client gives up, but it is told
  mail.faults.add({ kind: 'reply', code: 451, stage: 'data', stored: true, times: 1 });
  mail.faults.add({ kind: 'slow', stage: 'data', delayMs: 400, times: 1 });
  await expect(transport.sendMail(aMail())).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  await expect(transport.sendMail(aMail())).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  await expect(transport.sendMail(aMail())).rejects.toMatchObject({ responseCode: 451 });
  const slowly = patient.sendMail(aMail());
  await expect.poll(() => mail.mails()[0]?.deliveries).toBe(4);
  expect(copies()).toEqual([[false, false, false, false]]);
  await slowly;
  await expect.poll(copies).toEqual([[false, true, false, true]]);

  mail.faults.add({ kind: 'slow', stage: 'data', delayMs: 10_000, times: 1 });
  const cutOff = patient.sendMail(aMail({ messageId: '<n2@cordon.example.com>' }));
  await expect.poll(() => mail.mails()[1]?.deliveries).toBe(1);
  mail.faults.add({ kind: 'down', times: 1 });
  await expect(cutOff).rejects.toMatchObject({ code: 'ECONNECTION' });
  await transport.sendMail(aMail({ messageId: '<n2@cordon.example.com>' })).catch(() => undefined);
  await expect.poll(() => copies()[1]?.[0]).toBe(false);
});

test.for<[fault: MailFault, error: Record<string, unknown>]>([
  [
    { kind: 'reply', code: 451, stage: 'mail' },
    { code: 'EENVELOPE', responseCode: 451, permanent: false },
  ],
  [
    { kind: 'reply', code: 550, stage: 'rcpt' },
    { code: 'EENVELOPE', responseCode: 550, permanent: true },
  ],
  [
    { kind: 'reply', code: 554, stage: 'data' },
    { code: 'EMESSAGE', responseCode: 554 },
  ],
  [
    { kind: 'reply', code: 535, stage: 'auth' },
    { code: 'EAUTH', responseCode: 535 },
  ],
  [{ kind: 'drop', stage: 'mail' }, { code: 'ECONNECTION' }],
  [{ kind: 'drop', stage: 'data' }, { code: 'ECONNECTION' }],
  [{ kind: 'hang', stage: 'data' }, { code: 'ETIMEDOUT' }],
  [{ kind: 'hang', stage: 'rcpt' }, { code: 'ETIMEDOUT' }],
  [{ kind: 'down' }, { code: 'ECONNECTION' }],
])('the client sees %o once, and nothing is kept', async ([fault, error]) => {
  await using mail = await startMail();
  const transport = transportTo(mail, { auth: { user: 'cordon', pass: 'any' } });
  mail.faults.add({ ...fault, times: 1 });
  await expect(transport.sendMail(aMail())).rejects.toMatchObject(error);
  expect(mail.mails()).toEqual([]);
  await transport.sendMail(aMail());
  expect(mail.mails()).toHaveLength(1);
});

test('refuses only the recipient it was told to', async () => {
  await using mail = await startMail();
  mail.faults.add({ kind: 'reply', code: 550, stage: 'rcpt', recipient: 'gone@example.com' });
  const info = await transportTo(mail).sendMail(aMail({ to: ['gone@example.com', 'soc@example.com'] }));
  expect(info.rejected).toEqual(['gone@example.com']);
  expect(mail.mails()).toMatchObject([{ recipients: ['soc@example.com'] }]);
});

test('can be controlled over HTTP', async () => {
  await using mail = await startMail();
  await using app = fastify();
  mailControls(app, mail);
  const fault: MailFault = { kind: 'reply', code: 451, stage: 'mail' };
  const set = await app.inject({ method: 'POST', url: '/_control/mail-faults', payload: fault });
  expect(set.json()).toEqual([fault]);
  await expect(transportTo(mail).sendMail(aMail())).rejects.toMatchObject({ responseCode: 451 });

  const wrong = await app.inject({ method: 'POST', url: '/_control/mail-faults', payload: { kind: 'nonsense' } });
  expect(wrong.statusCode).toBe(400);
  await app.inject({ method: 'POST', url: '/_control/mail-faults/clear' });
  await transportTo(mail).sendMail(aMail());
  expect((await app.inject('/_control/mails')).json()).toMatchObject([{ subject: '[Cordon] HIGH LaZagne on WS-42' }]);
});

test('a restart keeps the mails', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cordon-mail-'));
  try {
    const stateFile = join(folder, 'mails.json');
    {
      await using mail = await startMail({ stateFile });
      await transportTo(mail).sendMail(aMail());
    }
    await using mail = await startMail({ stateFile });
    expect(mail.mails()).toMatchObject([{ id: '1', text: 'Isolate WS-42?' }]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('says when its port is taken', async () => {
  await using mail = await startMail();
  await expect(startMail({ port: mail.port })).rejects.toThrow('EADDRINUSE');
});
