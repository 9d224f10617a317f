import type { KeyObject } from 'node:crypto';
import { canonicalJson, sha256, Signature, signText } from '@cordon/contracts';
import { z } from 'zod';

export const Digest = z.string().regex(/^[0-9a-f]{64}$/);

/** An event as the log had it. Loosely: later versions know other events, and all of each is covered by the hash. */
export const AuditedEvent = z.looseObject({
  seq: z.int().positive(),
  id: z.string(),
  type: z.string(),
  source: z.string(),
  time: z.string(),
  tenantId: z.string(),
  endpointId: z.string(),
  data: z.looseObject({ signature: Signature.optional() }),
});
export type AuditedEvent = z.infer<typeof AuditedEvent>;

/** One event, chained to the record before and signed. */
export const AuditRecord = z.strictObject({
  /** From 1, without gaps. */
  n: z.int().positive(),
  /** When it was recorded. */
  at: z.iso.datetime(),
  event: AuditedEvent,
  /** The hash of the record before. */
  prev: Digest,
  /** SHA-256 over the line of everything but `hash` and `signature`. */
  hash: Digest,
  signature: Signature,
});
export type AuditRecord = z.infer<typeof AuditRecord>;

/** The end of a chain: what the next record hangs on. */
export type Head = Pick<AuditRecord, 'n' | 'hash'>;

/** The end of the chain that has no records yet. */
export const NOTHING_RECORDED: Head = { n: 0, hash: '0'.repeat(64) };

/** The record of an event that comes after `last`. */
export function nextRecord(last: Head, event: AuditedEvent, at: Date, key: KeyObject): AuditRecord {
  const content = { n: last.n + 1, at: at.toISOString(), event, prev: last.hash };
  const hash = hashOf(content);
  return { ...content, hash, signature: signText(recordStatement(hash), key) };
}

/** What the hash of a record has to be. */
export function hashOf({ n, at, event, prev }: Omit<AuditRecord, 'hash' | 'signature'>): string {
  return sha256(lineOf({ n, at, event, prev }));
}

/** What is signed of a record. */
export function recordStatement(hash: string): string {
  return `cordon audit record\n${hash}`;
}

/**
 * The one text that stands for a value: JSON with sorted keys, without blanks, and in ASCII. Attackers write into events,
 * and so nothing that they write turns text around, hides, or breaks a line, whatever the file is looked at with.
 */
export function lineOf(value: unknown): string {
  return canonicalJson(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The record in a line, if there is one. It need not be an authentic one. */
export function recordIn(line: string): AuditRecord | undefined {
  return valueIn(line, AuditRecord);
}

/** What a line holds, if it is that. */
export function valueIn<T>(line: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
