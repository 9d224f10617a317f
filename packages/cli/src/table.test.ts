import { expect, test } from 'vitest';
import { facts, table } from './table.ts';
import { cut, inertJson, visible, visibleLines, widthOf } from './visible.ts';

const columns = [{ title: 'id', alignRight: true }, { title: 'host' }, { title: 'note', flexible: true }];

test('a table aligns its cells and leaves no blanks at the end of a line', () => {
  expect(
    table(columns, [
      [7, 'a', 'short'],
      [12, 'win-srv-07', undefined],
    ]),
  ).toBe(['ID  HOST        NOTE', ' 7  a           short', '12  win-srv-07', ''].join('\n'));
});

test('on a narrow terminal only flexible columns are cut, and a file gets everything', () => {
  const rows = [[1, 'win-srv-07', 'x'.repeat(100)]];
  const narrow = table(columns, rows, 40).split('\n');
  expect(narrow.every((line) => widthOf(line) <= 40)).toBe(true);
  expect(narrow[1]).toMatch(/^ 1 {2}win-srv-07 {2}x+…$/);
  expect(table(columns, rows)).toContain('x'.repeat(100));
});

test('wide and combining characters are counted as a terminal shows them', () => {
  expect([widthOf('ab'), widthOf('漢字'), widthOf('e\u0301'), widthOf('🚨')]).toEqual([2, 4, 1, 2]);
  expect(cut('漢字漢字', 5)).toBe('漢字…');
});

const HOSTILE = 'a\u001B[2J\u001B]0;owned\u0007\rb\u202Efdp.exe\u200B\u009B31m\u{E0041}\uD800\u2028\nc';

test('nothing that a terminal obeys gets through, and all of it can be seen', () => {
  const shown = visible(HOSTILE);
  expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  expect(shown).toBe(
    'a<U+001B>[2J<U+001B>]0;owned<U+0007><U+000D>b<U+202E>fdp.exe<U+200B><U+009B>31m<U+E0041><U+D800><U+2028>↵c',
  );
  expect(visibleLines('a\r\nb\u001B', '> ')).toBe('> a\n> b<U+001B>');
  expect(facts([['name', HOSTILE]])).not.toContain('\u009B');
});

test('a cell cannot leave its row or its column', () => {
  const text = table(columns, [[1, 'a\n2  evil  row', 'b']]);
  expect(text.trimEnd().split('\n')).toHaveLength(2);
});

test('JSON for scripts is inert as well and means the same', () => {
  const json = inertJson({ HOSTILE, list: ['x\ny'] }, 2);
  expect(json).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  expect(JSON.parse(json)).toEqual({ HOSTILE, list: ['x\ny'] });
});
