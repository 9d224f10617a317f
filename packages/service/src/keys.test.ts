import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import { signingKey, verificationKeys } from './keys.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const spki = (key: KeyObject): string => key.export({ type: 'spki', format: 'der' }).toString('base64');

test('keys are read from one line of base64 and from PEM', () => {
  const line = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  for (const text of [line, pem]) expect(signingKey().parse(text).equals(privateKey)).toBe(true);

  const other = generateKeyPairSync('ed25519').publicKey;
  const pems = [publicKey, other].map((key) => key.export({ type: 'spki', format: 'pem' }).toString());
  for (const text of [`${spki(publicKey)},${spki(other)}`, pems.join(''), pems.join(',')]) {
    const keys = verificationKeys().parse(text);
    expect(keys.map((key, index) => key.equals(index === 0 ? publicKey : other))).toEqual([true, true]);
  }
});

test.each([
  ['nothing', ''],
  ['no key', 'aGVsbG8='],
  ['another kind of key', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
  ['a good key and a bad one', `${spki(publicKey)},aGVsbG8=`],
])('%s is refused, and how to make one is said', (_what, given) => {
  const text = typeof given === 'string' ? given : spki(given);
  expect(verificationKeys().safeParse(text).error?.issues[0]?.message).toContain('openssl pkey');
  expect(signingKey().safeParse(text).error?.issues[0]?.message).toContain('openssl genpkey');
});
