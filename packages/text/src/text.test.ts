import { expect, test } from 'vitest';
import { cut, cutForSlack, defang, manyLines, mrkdwn, oneLine } from './text.ts';

test('shows hidden and reordering characters instead of obeying them', () => {
  for (const hidden of [
    '\u0000',
    '\u001b',
    '\u202e',
    '\u2066',
    '\u200b',
    '\u00ad',
    '\ufeff',
    '\u2028',
    '\u3164',
    '\u{e0041}',
    '\ud800',
  ]) {
    expect(oneLine(`a${hidden}b`)).toBe('a\ufffdb');
  }
  expect(oneLine('Ünïcode 文字 😀')).toBe('Ünïcode 文字 😀');
});

test('a line break stays visible in one line, and stays one in many', () => {
  expect(oneLine('a\r\nb\nc\rd\te')).toBe('a↵b↵c↵d e');
  expect(manyLines('a\r\nb\u202e')).toBe('a\nb\ufffd');
});

test('nothing in a mrkdwn text mentions, links or is markup of ours', () => {
  expect(mrkdwn('<!channel> & x', 99)).toBe('&lt;!channel&gt; &amp; x');
  expect(mrkdwn('<https://evil.example|Approve>', 99)).toBe('&lt;hxxps://evil[.]example|Approve&gt;');
});

test('cuts visibly, never inside a character or an entity', () => {
  expect(cut('abcd', 4)).toBe('abcd');
  expect(cut('abcde', 4)).toBe('abc…');
  expect(cut('a😀😀', 4)).toBe('a😀…');
  expect(mrkdwn('a&b', 5)).toBe('a…');
  expect(mrkdwn('a&b', 7)).toBe('a&amp;b');
  expect(mrkdwn('<'.repeat(100), 40).length).toBeLessThanOrEqual(40);
});

test('counts for Slack what Slack may count', () => {
  expect(cutForSlack('&'.repeat(10), 26)).toBe('&&&&&…');
  expect(cutForSlack('aaaa', 4)).toBe('aaaa');
  expect(cutForSlack('&&', 10)).toBe('&&');
  expect(cutForSlack('&&', 9)).toBe('&…');
});

test('defangs what a client would link', () => {
  expect(defang('see HTTP://a.example.com/x.exe and www.b.example')).toBe(
    'see hxxP://a[.]example[.]com/x.exe and www[.]b.example',
  );
  expect(defang('C:\\tools\\LaZagne.exe')).toBe('C:\\tools\\LaZagne.exe');
});
