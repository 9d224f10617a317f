import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Whether `signature` is the hex HMAC-SHA256 of `message` under one of the secrets (LimaCharlie docs: webhook output,
 * header `Lc-Signature`). Takes the same time for every wrong signature, and tries every secret whichever fits.
 */
export function isSigned(message: Uint8Array, signature: string | undefined, secrets: readonly string[]): boolean {
  if (!signature || !/^[0-9a-f]{64}$/i.test(signature)) return false;
  const given = Buffer.from(signature, 'hex');
  const fits = secrets.map((secret) => timingSafeEqual(createHmac('sha256', secret).update(message).digest(), given));
  return fits.includes(true);
}
