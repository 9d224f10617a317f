import { expect, test } from 'vitest';
import { valuesAt } from './path.ts';

const connections = [
  { SOURCE: { PORT: 1 }, DESTINATION: { PORT: 2 } },
  { SOURCE: { PORT: 3 }, DESTINATION: { PORT: 4 } },
];
const record = {
  event: { NAME: 'a', NONE: null, EMPTY: [], TAGS: ['x', 'y'], NET: connections },
  routing: { tags: ['t'] },
};

test.for<[string, unknown[]]>([
  ['event/NAME', ['a']],
  ['//event//NAME/', ['a']],
  ['/', [record]],
  ['event/name', []],
  ['event/NAME/DEEPER', []],
  ['event/NONE', [null]],
  ['event/toString', []],
  ['event/TAGS', [['x', 'y']]],
  ['event/NET/SOURCE/PORT', [1, 3]],
  ['event/NET/?/SOURCE/PORT', [1, 3]],
  ['event/NET/?/PORT', [1, 2, 3, 4]],
  ['?/NAME', ['a']],
  ['?/PORT', []],
  ['*/PORT', [1, 2, 3, 4]],
  ['event/*/NET/*/PORT', [1, 2, 3, 4]],
  ['*/NAME', ['a']],
])('%s leads to %j', ([path, values]) => {
  expect(valuesAt(record, path)).toEqual(values);
});

test('lists within lists do not multiply the work', () => {
  const nested = Array.from({ length: 200 }).reduce<unknown>((inner) => [inner], { LEAF: 1 });
  expect(valuesAt({ event: nested }, '*/*/LEAF')).toEqual(expect.arrayContaining([1]));
});
