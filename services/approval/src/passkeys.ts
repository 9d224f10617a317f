import { isConflict } from '@cordon/bus';
import { type Person, sha256, type Vote } from '@cordon/contracts';
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { z } from 'zod';
import type { Bucket } from './session-store.ts';

const Passkey = z.object({
  id: z.string(),
  /** COSE, in base64url. */
  publicKey: z.string(),
  counter: z.number(),
  addedAt: z.iso.datetime(),
});
export type Passkey = z.infer<typeof Passkey>;
const Kept = z.object({ passkeys: z.array(Passkey) });

/** What a browser sends: read only as far as needed before the library checks it. */
const text = z.string().max(4096);
const Assertion = z.looseObject({
  id: text,
  rawId: text,
  type: z.literal('public-key'),
  response: z.looseObject({ clientDataJSON: text, authenticatorData: text, signature: text }),
  clientExtensionResults: z.looseObject({}),
});
const Attestation = z.looseObject({
  id: text,
  rawId: text,
  type: z.literal('public-key'),
  response: z.looseObject({ clientDataJSON: text, attestationObject: z.string().max(16_384) }),
  clientExtensionResults: z.looseObject({}),
});

const PASSKEYS_MAX = 10;

/** People's passkeys: added by themselves, and asked for where policy wants a yes to be signed. */
export interface Passkeys {
  of(person: Person): Promise<Passkey[]>;
  /** What the browser is to be asked for, to add one. The challenge has to come back with the answer. */
  creation(person: Person): Promise<PublicKeyCredentialCreationOptionsJSON>;
  /** Adds what the browser made. False where it is not what was asked for. */
  add(person: Person, answer: string, challenge: string): Promise<boolean>;
  /** What the browser is to be asked for, to sign exactly these facts; nothing where the person has no passkey. */
  request(person: Person, facts: SignedFacts): Promise<PublicKeyCredentialRequestOptionsJSON | undefined>;
  /** The proof for the vote; nothing where it is no signature of these facts by a passkey of this person. */
  check(person: Person, answer: string, facts: SignedFacts): Promise<Vote['passkey']>;
}
/** What a passkey signs: this yes, to these facts. */
export type SignedFacts = { incidentId: string; factsDigest: string };

const library = () => import('@simplewebauthn/server');
const keyOf = ({ issuer, subject }: Person): string => sha256(`${issuer}\n${subject}`);

/** Passkeys in a bucket, for the site at `origin`. The library comes in when it is first needed. */
export function createPasskeys(bucket: Bucket, origin: string): Passkeys {
  const rpID = new URL(origin).hostname;

  async function change(person: Person, edit: (passkeys: Passkey[]) => Passkey[]): Promise<void> {
    for (;;) {
      const entry = await bucket.get(keyOf(person));
      const kept = entry?.operation === 'PUT' ? Kept.parse(JSON.parse(entry.string())).passkeys : [];
      const value = JSON.stringify({ passkeys: edit(kept) });
      try {
        await (entry ? bucket.update(keyOf(person), value, entry.revision) : bucket.create(keyOf(person), value));
        return;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  async function of(person: Person): Promise<Passkey[]> {
    const entry = await bucket.get(keyOf(person));
    return entry?.operation === 'PUT' ? Kept.parse(JSON.parse(entry.string())).passkeys : [];
  }

  return {
    of,

    async creation(person) {
      const { generateRegistrationOptions } = await library();
      return generateRegistrationOptions({
        rpName: 'Cordon',
        rpID,
        userName: person.email ?? person.name,
        userDisplayName: person.name,
        attestationType: 'none',
        excludeCredentials: (await of(person)).map(({ id }) => ({ id })),
        authenticatorSelection: { userVerification: 'required', residentKey: 'preferred' },
      });
    },

    async add(person, answer, challenge) {
      const response = attestationIn(answer);
      if (!response) return false;
      const { verifyRegistrationResponse } = await library();
      const expected = { expectedChallenge: challenge, expectedOrigin: origin, expectedRPID: rpID };
      const { registrationInfo } = await verifyRegistrationResponse({ response, ...expected }).catch(() => ({
        registrationInfo: undefined,
      }));
      if (!registrationInfo) return false;
      const { id, publicKey, counter } = registrationInfo.credential;
      const passkey = { id, publicKey: Buffer.from(publicKey).toString('base64url'), counter };
      await change(person, (passkeys) =>
        [...passkeys.filter((other) => other.id !== id), { ...passkey, addedAt: new Date().toISOString() }].slice(
          -PASSKEYS_MAX,
        ),
      );
      return true;
    },

    async request(person, facts) {
      const passkeys = await of(person);
      if (passkeys.length === 0) return undefined;
      const { generateAuthenticationOptions } = await library();
      return generateAuthenticationOptions({
        rpID,
        challenge: new Uint8Array(Buffer.from(challengeOf(facts), 'base64url')),
        allowCredentials: passkeys.map(({ id }) => ({ id })),
        userVerification: 'required',
      });
    },

    async check(person, answer, facts) {
      const response = assertionIn(answer);
      const passkey = (await of(person)).find(({ id }) => id === response?.id);
      if (!response || !passkey) return undefined;
      const { verifyAuthenticationResponse } = await library();
      const { id, counter } = passkey;
      const publicKey = new Uint8Array(Buffer.from(passkey.publicKey, 'base64url'));
      const { verified, newCounter } = await verifyAuthenticationResponse({
        response,
        expectedChallenge: challengeOf(facts),
        expectedOrigin: origin,
        expectedRPID: rpID,
        credential: { id, publicKey, counter },
        requireUserVerification: true,
      }).then(
        (result) => ({ verified: result.verified, newCounter: result.authenticationInfo.newCounter }),
        () => ({ verified: false, newCounter: counter }),
      );
      if (!verified) return undefined;
      await change(person, (passkeys) =>
        passkeys.map((other) => (other.id === id ? { ...other, counter: Math.max(other.counter, newCounter) } : other)),
      );
      const { clientDataJSON, authenticatorData, signature } = response.response;
      return { credentialId: id, publicKey: passkey.publicKey, clientDataJSON, authenticatorData, signature };
    },
  };
}

/** The challenge is the digest of what is agreed to: the signature proves that, and nothing else. */
export function challengeOf({ incidentId, factsDigest }: SignedFacts): string {
  return Buffer.from(sha256(`cordon passkey\nisolate\n${incidentId}\n${factsDigest}`), 'hex').toString('base64url');
}

function assertionIn(answer: string): AuthenticationResponseJSON | undefined {
  const parsed = Assertion.safeParse(jsonIn(answer)).data;
  if (!parsed) return undefined;
  const { id, rawId, type, response } = parsed;
  const { clientDataJSON, authenticatorData, signature } = response;
  return { id, rawId, type, response: { clientDataJSON, authenticatorData, signature }, clientExtensionResults: {} };
}

function attestationIn(answer: string): RegistrationResponseJSON | undefined {
  const parsed = Attestation.safeParse(jsonIn(answer)).data;
  if (!parsed) return undefined;
  const { id, rawId, type, response } = parsed;
  const { clientDataJSON, attestationObject } = response;
  return { id, rawId, type, response: { clientDataJSON, attestationObject }, clientExtensionResults: {} };
}

function jsonIn(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
