import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { sha256 } from './event.ts';

/** Ed25519, by the key with this id. */
export const Signature = z.object({ keyId: z.string().max(64), value: z.base64() });
export type Signature = z.infer<typeof Signature>;

/** What a signature covers: all of an event but itself and the place in the log. */
type Signed = {
  id: string;
  type: string;
  source: string;
  time: string;
  tenantId: string;
  endpointId: string;
  data: { signature?: Signature | undefined };
};
export type Authenticity = 'authentic' | 'unsigned' | 'unknown_key' | 'forged';

/** The event, signed with an Ed25519 private key. The same event and key give the same signature. */
export function signEvent<Event extends Signed>(event: Event, key: KeyObject): Event {
  return { ...event, data: { ...event.data, signature: signText(statementOf(event), key) } };
}

/** Whether an event is exactly what the holder of one of these keys signed. */
export function authenticityOf(event: Signed, keys: readonly KeyObject[]): Authenticity {
  return authenticityOfText(statementOf(event), event.data.signature, keys);
}

const FALSE: Record<Exclude<Authenticity, 'authentic'>, string> = {
  unsigned: 'It carries no signature.',
  unknown_key: 'It is signed with a key that is not known here (DECISION_PUBLIC_KEYS).',
  forged: 'Its signature does not fit: it was altered after it was signed, or made up.',
};

/** Why an event is not to be believed, in words for people; nothing where it is authentic. */
export function forgeryOf(event: Signed, keys: readonly KeyObject[]): string | undefined {
  const authenticity = authenticityOf(event, keys);
  if (authenticity === 'authentic') return undefined;
  return `This did not come from Cordon's approval service. ${FALSE[authenticity]} Find out who can write to the broker.`;
}

/** Signs a text, which begins with what it is for, so that no other signature passes for this one. */
export function signText(text: string, key: KeyObject): Signature {
  const value = sign(undefined, Buffer.from(text), key).toString('base64');
  return { keyId: keyIdOf(key), value };
}

/** Whether a text is exactly what the holder of one of these keys signed. */
export function authenticityOfText(
  text: string,
  signature: Signature | undefined,
  keys: readonly KeyObject[],
): Authenticity {
  if (!signature) return 'unsigned';
  const key = keys.find((candidate) => keyIdOf(candidate) === signature.keyId);
  if (!key) return 'unknown_key';
  const bytes = Buffer.from(signature.value, 'base64');
  // The last digit of base64 has bits that mean nothing: of the texts that give the same bytes only one is right.
  const isOwnForm = bytes.toString('base64') === signature.value;
  return isOwnForm && verify(undefined, Buffer.from(text), key, bytes) ? 'authentic' : 'forged';
}

const keyIds = new WeakMap<KeyObject, string>();

/** The name of a key, of either half: the beginning of the public one's digest. Found once per key: every signature has it. */
export function keyIdOf(key: KeyObject): string {
  const known = keyIds.get(key);
  if (known !== undefined) return known;
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const id = sha256(publicKey.export({ type: 'spki', format: 'der' })).slice(0, 16);
  keyIds.set(key, id);
  return id;
}

/** What is signed of an event, in one fixed form. */
function statementOf({ id, type, source, time, tenantId, endpointId, data }: Signed): string {
  const { signature: _, ...rest } = data;
  return `cordon event\n${canonicalJson([id, type, source, time, tenantId, endpointId, rest])}`;
}

/** JSON with sorted keys and without undefined: the same value gives the same text, whoever wrote it. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(inOrder(value));
}

function inOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inOrder);
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, inOrder(Reflect.get(value, key))]));
}
