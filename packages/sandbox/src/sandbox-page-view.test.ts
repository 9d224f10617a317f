import { expect, test } from 'vitest';
import { describeSensor } from './sandbox-page-view.ts';

test.for([
  [true, false, false, 'Connected', 'on guard'],
  [true, false, true, 'Connected', 'Isolation wished, not applied yet.'],
  [true, true, true, 'Isolated', 'Only LimaCharlie'],
  [true, true, false, 'Isolated', 'Release wished, not applied yet.'],
  [false, false, false, 'Offline', 'not isolated.'],
  [false, false, true, 'Offline', 'Isolation wished, not applied yet: follows when it is back.'],
] as const)('online %s, isolated %s, wished %s: %s', ([online, isolated, shouldIsolate, label, detail]) => {
  expect(describeSensor({ online, isolated, shouldIsolate })).toEqual({
    state: expect.any(String),
    label,
    detail: expect.stringContaining(detail),
  });
});
