import { expect, test } from 'vitest';
import { renderMail, renderMailbox } from './mail-page.ts';
import type { ReceivedMail } from './mail.ts';

function aMail(mail: Partial<ReceivedMail> = {}): ReceivedMail {
  return {
    id: '1',
    messageId: '<1@x>',
    references: [],
    from: 'Cordon <cordon@example.com>',
    to: 'soc@example.com',
    recipients: ['soc@example.com'],
    subject: 'Isolate WS-42?',
    text: 'The question',
    headers: {},
    receivedAt: '2026-11-24T04:05:00.000Z',
    deliveries: 1,
    copies: [],
    ...mail,
  };
}

const at = (minute: number): string => `2026-11-24T04:0${minute}:00.000Z`;
const hrefOf = ({ id }: ReceivedMail): string => `/mail/${id}`;
const threadsOf = (shown: string): string[][] =>
  shown
    .split('<ol')
    .slice(1)
    .map((thread) => [...thread.matchAll(/href="\/mail\/(\w+)"/g)].map(([, id]) => id ?? ''));

test('lists threads, the latest first, each in its order', () => {
  const shown = renderMailbox(
    [
      aMail({ id: 'a', messageId: '<a@x>', receivedAt: at(1) }),
      aMail({ id: 'b', messageId: '<b@x>', receivedAt: at(2) }),
      aMail({ id: 'c', messageId: '<c@x>', inReplyTo: '<a@x>', references: ['<a@x>'], receivedAt: at(3) }),
      aMail({ id: 'd', messageId: '<d@x>', references: ['<lost@x>'], receivedAt: at(4) }),
      aMail({ id: 'e', messageId: '<e@x>', references: ['<lost@x>', '<b@x>'], receivedAt: at(5), deliveries: 2 }),
    ],
    hrefOf,
  ).toString();
  expect(threadsOf(shown)).toEqual([
    ['b', 'd', 'e'],
    ['a', 'c'],
  ]);
  expect(shown).toContain('delivered 2 times');
  expect(renderMailbox([], hrefOf).toString()).toContain('No mail yet.');
});

test('shows the HTML part in a frame that can run nothing, and the text as it is', () => {
  const html = '<html><head><title>x</title></head><body onload="alert(1)"><script>alert(2)</script></body></html>';
  const shown = renderMail(
    aMail({ subject: '<script>alert(3)</script>', html, text: '<b>plain</b>', headers: { importance: '<i>High</i>' } }),
  ).toString();
  expect(shown).toContain('sandbox="allow-popups allow-popups-to-escape-sandbox"');
  expect(shown).toContain('srcdoc="&lt;html&gt;&lt;head&gt;&lt;base target=&quot;_blank&quot;&gt;&lt;title&gt;');
  expect(shown).toContain('<pre class="mail-text">&lt;b&gt;plain&lt;/b&gt;</pre>');
  expect(shown).not.toMatch(/<(script|body|i)\b/);
});

test('a mail without HTML has no frame, and headers that are missing are left out', () => {
  const shown = renderMail(aMail()).toString();
  expect(shown).not.toContain('<iframe');
  expect(shown).not.toContain('In-Reply-To');
  expect(shown).toContain('Message-ID');
});
