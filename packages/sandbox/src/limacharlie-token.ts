import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

const Claims = z.object({ oid: z.string(), exp: z.number() });

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = (text: string, key: string): string => createHmac('sha256', key).update(text).digest('base64url');

/** A JWT (HS256) for one organisation. Signed with the API key, so that it outlives a restart of the stand-in. */
export function issueToken(oid: string, apiKey: string, lifeMs: number): string {
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ oid, exp: Math.floor((Date.now() + lifeMs) / 1000) })}`;
  return `${body}.${sign(body, apiKey)}`;
}

/** Whether an `Authorization` header holds a token of this organisation that has not expired. */
export function isAuthorized(header: string | undefined, oid: string, apiKey: string): boolean {
  const token = /^bearer (.+)$/i.exec(header ?? '')?.[1] ?? '';
  const [head = '', claims = '', signature = ''] = token.split('.');
  const expected = Buffer.from(sign(`${head}.${claims}`, apiKey));
  const actual = Buffer.from(signature);
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual)) return false;
  const parsed = Claims.parse(JSON.parse(Buffer.from(claims, 'base64url').toString()));
  return parsed.oid === oid && parsed.exp * 1000 > Date.now();
}
