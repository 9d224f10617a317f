import { assert, oneof, property, string, stringMatching } from 'fast-check';
import { expect, test } from 'vitest';
import type { Content } from '@cordon/html';
import { html, plainText, verbatim } from './visible.ts';

const show = (text: string): string => html`<p>${text}</p>`.toString();

test('marks what nobody sees and what turns the rest around, and keeps the rest', () => {
  expect(show('exe.\u202Efdp')).toBe('<p>exe.<mark>U+202E</mark>fdp</p>');
  expect(show('a\u0000b\u001B[31mc\u200Bd\u{E0041}e')).toBe(
    '<p>a<mark>U+0000</mark>b<mark>U+001B</mark>[31mc<mark>U+200B</mark>d<mark>U+E0041</mark>e</p>',
  );
  expect(show('a\nb\r\tc')).toBe('<p>a<mark>↵</mark>\nb<mark>U+000D</mark>\tc</p>');
  expect(show('naïve – Привет שלום 漢字 ⚠️ 🔥')).toBe('<p>naïve – Привет שלום 漢字 ⚠️ 🔥</p>');
});

test('marks the texts in lists and in nested markup once', () => {
  const content: Content = ['a\u202E', html`<i>${'b\u202E'}</i>`, 0, false, null];
  expect(html`<b>${content}</b>`.toString()).toBe('<b>a<mark>U+202E</mark><i>b<mark>U+202E</mark></i>0</b>');
});

test('no text becomes markup, in content or in an attribute, and none keeps a hidden character', () => {
  const texts = oneof(string({ unit: 'binary' }), stringMatching(/^["'<>&=\u202E\u200F\n a-z]*$/u));
  assert(
    property(texts, (text) => {
      const shown = show(text).slice(3, -4);
      expect(shown.replaceAll(/<\/?mark>/g, '')).not.toMatch(/[<>"']/);
      expect(shown.replaceAll('<mark>↵</mark>\n', '')).not.toMatch(/(?!\t)[\p{Cc}\p{Cf}]/u);
      expect(html`<i title="${text}"></i>`.toString().split('"')).toHaveLength(3); // even where `verbatim` was forgotten
      expect(plainText(text)).not.toMatch(/(?!\t)[\p{Cc}\p{Cf}]/u);
    }),
  );
});

test('a verbatim text is escaped and nothing more', () => {
  expect(html`<input value="${verbatim('"<\u202E')}" />`.toString()).toBe('<input value="&quot;&lt;\u202E" />');
});
