import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import {
  ApprovalDecided,
  eventId,
  IsolationConfirmed,
  IsolationRequested,
  signEvent,
  type StoredEvent,
} from '@cordon/contracts';
import { aDetection, aDetectionRaised, anEndpoint, stored } from '@cordon/contracts/builders';
import { audited } from './audited.ts';
import { type Head, lineOf, nextRecord, NOTHING_RECORDED } from './record.ts';
import { sealOf } from './seal.ts';

/** A signing key and its public half. */
export function aKey(): { key: KeyObject; publicKey: KeyObject } {
  const { privateKey } = generateKeyPairSync('ed25519');
  return { key: privateKey, publicKey: createPublicKey(privateKey) };
}

/** What happens about so many machines: detected, decided, isolated. */
export function someEvents(key: KeyObject, machines: number): StoredEvent[] {
  const events = Array.from({ length: machines }, (_, at) => {
    const endpoint = anEndpoint();
    const detected = aDetectionRaised(aDetection({ endpoint, commandLine: `"C:\\ü\u202E\u2028 ${at}" 'all'` }));
    const about = (type: string) => ({ id: eventId(type, detected.id), source: '/test', at: new Date(), endpoint });
    const incidentId = randomUUID();
    const decided = ApprovalDecided.create({
      ...about('approval.decided'),
      data: {
        incidentId,
        outcome: 'isolate',
        channel: 'page',
        decidedBy: { issuer: 'https://id.example.com', subject: 'alice', name: 'Alice Ärmlich' },
        quietUntil: new Date().toISOString(),
        policyVersion: 'p1',
      },
    });
    return [
      detected,
      signEvent(decided, key),
      IsolationRequested.create({ ...about('isolation.requested'), data: { incidentId, alreadyWanted: false } }),
      IsolationConfirmed.create({ ...about('isolation.confirmed'), data: { incidentId } }),
    ];
  });
  return stored(events.flat());
}

/** An export of these events: a record for each, and the seal. */
export function anExport(events: readonly StoredEvent[], key: KeyObject, after: Head = NOTHING_RECORDED): string[] {
  let last = after;
  const lines = events.map((event) => {
    const record = nextRecord(last, audited(event), new Date(), key);
    last = record;
    return lineOf(record);
  });
  return [...lines, lineOf(sealOf(last, new Date(), key))];
}
