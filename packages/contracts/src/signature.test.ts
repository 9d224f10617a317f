import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from './signature.ts';

test('the same value gives the same text, in whatever order it was written', () => {
  const text = '{"10":[{"a":null,"b":"\u2028"}],"Z":1.5,"a":{}}';
  expect(canonicalJson({ a: {}, Z: 1.5, 10: [{ b: '\u2028', c: undefined, a: null }] })).toBe(text);
  expect(canonicalJson({ 10: [{ a: null, b: '\u2028' }], a: { x: undefined }, Z: 1.5 })).toBe(text);
});

test('nothing is lost, not even a key that JavaScript takes for something else', () => {
  const hostile = '{"__proto__":{"constructor":1}}';
  expect(canonicalJson(JSON.parse(hostile))).toBe(hostile);
  const property = fc.property(fc.jsonValue(), (value) => {
    expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
  });
  fc.assert(property);
});
