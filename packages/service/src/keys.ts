import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';

/** An Ed25519 private key: PKCS 8, in base64 on one line, or as PEM. */
export function signingKey() {
  return z.string().transform((text, context) => {
    const key = read(() => createPrivateKey({ key: der(text), format: 'der', type: 'pkcs8' }));
    if (key) return key;
    const how = 'openssl genpkey -algorithm ed25519 -outform der | base64 -w0';
    context.addIssue({ code: 'custom', message: `must be an Ed25519 private key, made with: ${how}` });
    return z.NEVER;
  });
}

/** One or, while rotating, several Ed25519 public keys separated by commas: SPKI, in base64 on one line, or as PEM. */
export function verificationKeys() {
  return z.string().transform((text, context) => {
    const parts = text.split(/,|(?<=-----END PUBLIC KEY-----)/).filter((part) => part.trim() !== '');
    const keys = parts.map((part) => read(() => createPublicKey({ key: der(part), format: 'der', type: 'spki' })));
    const found = keys.filter((key) => key !== undefined);
    if (found.length > 0 && found.length === keys.length) return found;
    const how = 'base64 -d < signing-key | openssl pkey -inform der -pubout -outform der | base64 -w0';
    context.addIssue({ code: 'custom', message: `must be Ed25519 public keys separated by commas, made with: ${how}` });
    return z.NEVER;
  });
}

function der(text: string): Buffer {
  return Buffer.from(text.replace(/-----[A-Z ]+-----/g, ''), 'base64');
}

function read(parse: () => KeyObject): KeyObject | undefined {
  try {
    const key = parse();
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}
