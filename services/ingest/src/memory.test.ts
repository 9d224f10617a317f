import { expect, test } from 'vitest';
import { createMemory } from './memory.ts';

test('remembers the last half of what it may hold, and never more than that', () => {
  const memory = createMemory(10);
  const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`);
  for (const key of keys) memory.add(key);
  expect(keys.slice(-5).filter((key) => memory.has(key))).toHaveLength(5);
  expect(keys.filter((key) => memory.has(key)).length).toBeLessThanOrEqual(10);
});
