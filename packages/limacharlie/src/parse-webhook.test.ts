import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseWebhook } from './parse-webhook.ts';

const textsOf = (body: string) => parseWebhook(body).map((record) => record.text);
const problemsOf = (body: string) =>
  parseWebhook(body).map((record) => ('problem' in record ? record.problem : 'none'));

test('one object is one record, with the text that was sent', () => {
  const text = '{"b" : 1.0,\n "a":12345678901234567890, "a":2}';
  expect(parseWebhook(` ${text}\r\n`)).toEqual([{ text, value: { b: 1, a: 2 } }]);
});

test('an array is cut into the texts of its elements', () => {
  expect(parseWebhook('[ {"a":"],\\"[{"} ,\n{"b":[1,[2,{}]]},"x,y" , null ]')).toEqual([
    { text: '{"a":"],\\"[{"}', value: { a: '],"[{' } },
    { text: '{"b":[1,[2,{}]]}', value: { b: [1, [2, {}]] } },
    { text: '"x,y"', value: 'x,y' },
    { text: 'null', value: null },
  ]);
});

test('lines are records of their own, whatever ends them', () => {
  expect(textsOf('{"a":1}\r\n\r\n  \n{"b":"\u2028"}\n{"c":3}')).toEqual(['{"a":1}', '{"b":"\u2028"}', '{"c":3}']);
});

test('a broken line does not take the others with it', () => {
  expect(problemsOf('{"a":1}\n{"b":\n{"c":3}')).toEqual(['none', 'The line is not JSON.', 'none']);
});

test.each(['data=x', '{"a":1', '{"a":1}{"b":2}', '"a"\nb', '\u00a0{"a":1}'])(
  '%j as a whole is not understood',
  (body) => {
    expect(textsOf(body)).toEqual([body]);
    expect(problemsOf(body)).toEqual(['The body is neither JSON nor JSON objects one per line.']);
  },
);

test('an empty array is a record with a problem, a blank body has no records', () => {
  expect(problemsOf('[]')).toEqual(['The body is a JSON array without any record.']);
  expect(parseWebhook(' \r\n\t')).toEqual([]);
});

test('any array comes apart into its elements', () => {
  const blank = fc.constantFrom('', ' ', '\n', '\t \r');
  const elements = fc.array(fc.tuple(blank, fc.jsonValue({ noUnicodeString: false }), blank), { minLength: 1 });
  fc.assert(
    fc.property(elements, fc.constantFrom(0, 2), (parts, indent) => {
      const texts = parts.map(([, value]) => JSON.stringify(value, null, indent));
      const body = `[${parts.map(([before], index) => before + texts[index] + (parts[index]?.[2] ?? '')).join(',')}]`;
      expect(textsOf(body)).toEqual(texts);
      expect(parseWebhook(body)).toEqual(texts.map((text) => ({ text, value: JSON.parse(text) })));
    }),
  );
});

test('a long run of blanks and a deep nesting take no time to speak of', () => {
  const blanks = `{"a":"${' '.repeat(500_000)}x"}`;
  const deep = `[${'['.repeat(200_000)}${']'.repeat(200_000)}]`;
  const start = performance.now();
  expect(parseWebhook(`${blanks}\n${blanks}`)).toHaveLength(2);
  expect(parseWebhook(deep)).toHaveLength(1);
  expect(performance.now() - start).toBeLessThan(10_000); // quadratic would be minutes
});
