import { expect, test } from 'vitest';
import { sign } from './lab.ts';
import { isSigned } from './verify-signature.ts';

const message = Buffer.from('{"cat":"ü"}');

test('any of the secrets will do', () => {
  const secrets = ['old', 'new'];
  expect(isSigned(message, sign(message, 'old'), secrets)).toBe(true);
  expect(isSigned(message, sign(message, 'new'), secrets)).toBe(true);
  expect(isSigned(message, sign(message, 'other'), secrets)).toBe(false);
});

test('without secrets nothing is signed', () => expect(isSigned(message, sign(message, ''), [])).toBe(false));

test.each([undefined, '', 'g'.repeat(64), sign(message, 's').slice(1), ` ${sign(message, 's')}`])(
  '%j is no signature',
  (value) => expect(isSigned(message, value, ['s'])).toBe(false),
);
