import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

/** How a request says its body is packed; nothing where that is not supported. */
export type Packing = { isForm: boolean; isGzip: boolean };
export type Unpacked = {
  /** The JSON. */
  body: Buffer;
  /** What the sender may have signed. */
  signable: Buffer[];
};

/** LimaCharlie does not document the type of a bulk body: JSON lines may come as plain text or without a type. */
const JSON_TYPES: ReadonlySet<string> = new Set(['application/json', 'application/x-ndjson', 'text/plain', '']);
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Reads the headers `Content-Type` and `Content-Encoding`. */
export function packingOf(
  contentType: string,
  contentEncoding: string,
): Packing | { refusal: 'unsupported_type' | 'unsupported_encoding' } {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  const encoding = contentEncoding.trim().toLowerCase();
  if (!JSON_TYPES.has(type) && type !== FORM_TYPE) return { refusal: 'unsupported_type' };
  if (!['', 'identity', 'gzip'].includes(encoding)) return { refusal: 'unsupported_encoding' };
  return { isForm: type === FORM_TYPE, isGzip: encoding === 'gzip' };
}

/**
 * The JSON in a request's body. LimaCharlie docs (webhook output): of a form, the decoded value of its one field `data`
 * is signed, of JSON the body itself. Whether a compressed body is signed before or after is not documented: both count.
 */
export async function unpack(
  received: Buffer,
  { isForm, isGzip }: Packing,
  limitBytes: number,
): Promise<Unpacked | { refusal: 'bad_gzip' | 'bad_form' | 'too_large' }> {
  const inflated = isGzip ? await inflate(received, limitBytes) : received;
  if (typeof inflated === 'string') return { refusal: inflated };
  const signedAsReceived = isGzip ? [received] : [];
  if (!isForm) return { body: inflated, signable: [inflated, ...signedAsReceived] };

  const values = new URLSearchParams(inflated.toString('utf8')).getAll('data');
  if (values.length !== 1 || values[0] === undefined) return { refusal: 'bad_form' };
  const body = Buffer.from(values[0], 'utf8');
  return { body, signable: [body, ...signedAsReceived] };
}

async function inflate(received: Buffer, limitBytes: number): Promise<Buffer | 'bad_gzip' | 'too_large'> {
  try {
    return await promisify(gunzip)(received, { maxOutputLength: limitBytes });
  } catch (error) {
    const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    return isTooLarge ? 'too_large' : 'bad_gzip';
  }
}
