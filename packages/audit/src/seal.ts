import type { KeyObject } from 'node:crypto';
import { type Authenticity, authenticityOfText, Signature, signText } from '@cordon/contracts';
import { z } from 'zod';
import { Digest, type Head, lineOf, valueIn } from './record.ts';

/**
 * Where the chain ended at a time, signed. Without one, whoever holds an export could leave out its end, and nobody would
 * see it. It says nothing about what was recorded after that time.
 */
export const Seal = z.strictObject({
  seal: z.strictObject({ n: z.int().positive(), hash: Digest, at: z.iso.datetime() }),
  signature: Signature,
});
export type Seal = z.infer<typeof Seal>;

/** Says that the chain ends there now. */
export function sealOf({ n, hash }: Head, at: Date, key: KeyObject): Seal {
  const seal = { n, hash, at: at.toISOString() };
  return { seal, signature: signText(statementOf(seal), key) };
}

/** Whether a seal was made by the holder of one of these keys. */
export function authenticityOfSeal({ seal, signature }: Seal, keys: readonly KeyObject[]): Authenticity {
  return authenticityOfText(statementOf(seal), signature, keys);
}

/** The seal in a line, if there is one. It need not be an authentic one. */
export function sealIn(line: string): Seal | undefined {
  return valueIn(line, Seal);
}

function statementOf(seal: Seal['seal']): string {
  return `cordon audit seal\n${lineOf(seal)}`;
}
