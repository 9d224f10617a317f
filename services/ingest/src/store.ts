import { type Bus, DUPLICATE_WINDOW_MS, TooLargeError } from '@cordon/bus';
import { type Detection, DetectionRaised, type RawRecord, sha256, severityName } from '@cordon/contracts';
import { normalize, type WebhookRecord } from '@cordon/limacharlie';
import type { Logger } from '@cordon/service';
import { Counter, type Registry } from 'prom-client';
import type { Outcome } from './answers.ts';
import { createEndOfTurn } from './end-of-turn.ts';
import { createLookUps } from './look-ups.ts';
import { createMemory } from './memory.ts';

/** Records that wait for the broker at the same time. */
const IN_FLIGHT = 16;

/** The part of the bus that ingest uses. */
export type Store = Pick<Bus, 'quarantine'> & { log: Pick<Bus['log'], 'append' | 'hasDetection' | 'detectionsSince'> };
/** When it came, and the `Content-Type` it came with. */
export type Receipt = {
  receivedAt: Date;
  mediaType: string;
  /** LimaCharlie was asked for it: most such records came as a webhook before. */
  isBackfill?: boolean;
  /** Answers for a whole pass; without it the log is searched for each. */
  hasDetection?: Store['log']['hasDetection'];
};
export type Keeper = ReturnType<typeof createKeeper>;

/**
 * Puts records into the log, or into quarantine. Each call resolves only after the broker acknowledged, and may be
 * repeated: the same record is stored once. Throws what the bus throws where it was not stored.
 */
export function createKeeper({ bus, log, metrics }: { bus: Store; log: Logger; metrics: Registry }) {
  const detections = new Counter({
    name: 'cordon_detections_total',
    help: 'Detections stored, by severity; repetitions are not counted',
    labelNames: ['severity'],
    registers: [metrics],
  });
  const quarantined = new Counter({
    name: 'cordon_quarantined_total',
    help: 'Authentic records that were not understood; repetitions are not counted',
    registers: [metrics],
  });
  const remembered = createMemory();
  const endOfTurn = createEndOfTurn();

  /** `detectionId` where there is one: the API's copy of a record differs from the webhook's, so its bytes do not tell. */
  async function quarantine(
    body: Buffer,
    problem: string,
    { receivedAt, mediaType, isBackfill }: Receipt,
    detectionId?: string,
  ): Promise<Outcome> {
    const digest = sha256(body);
    const key = `not understood: ${detectionId ?? digest}`;
    if (isBackfill && remembered.has(key)) return 'duplicate';
    const { duplicate } = await bus.quarantine({
      problem,
      receivedAt: receivedAt.toISOString(),
      mediaType: mediaType.slice(0, 128),
      sha256: digest,
      body: body.toString('base64'),
    });
    if (!duplicate) {
      quarantined.inc();
      log.warn({ problem, sha256: digest }, 'record put into quarantine');
    }
    remembered.add(key);
    return 'quarantined';
  }

  async function keep(record: WebhookRecord, receipt: Receipt): Promise<Outcome> {
    const { text } = record;
    if ('problem' in record) return quarantine(Buffer.from(text), record.problem, receipt);
    const raw = { media_type: 'application/json', sha256: sha256(text), size: Buffer.byteLength(text), body: text };
    const detectionId = detectionIdIn(record.value);
    if (receipt.isBackfill && detectionId === undefined) {
      const problem = '`detect_id` is missing, so nobody can tell whether this came as a webhook before.';
      return quarantine(Buffer.from(text), problem, receipt);
    }
    const normalized = normalize(record.value, raw, receipt.receivedAt);
    if ('problem' in normalized) return quarantine(Buffer.from(text), normalized.problem, receipt, detectionId);
    const { detection } = normalized;
    if (receipt.isBackfill && remembered.has(detection.uid)) return 'duplicate';
    try {
      const outcome = await append(detection, raw, receipt);
      remembered.add(detection.uid);
      return outcome;
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      const problem = `The detection is too large for the event log: ${error.message}.`;
      return quarantine(Buffer.from(text), problem, receipt, detectionId);
    }
  }

  /** What became of each record, in their order. Throws where one was not stored; the rest may be. */
  async function keepAll(records: readonly WebhookRecord[], receipt: Receipt): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let at = 0; at < records.length; at += IN_FLIGHT) {
      const group = records.slice(at, at + IN_FLIGHT);
      outcomes.push(...(await Promise.all(group.map((record) => keep(record, receipt)))));
    }
    return outcomes;
  }

  async function append(detection: Detection, raw: RawRecord, receipt: Receipt): Promise<Outcome> {
    const { receivedAt } = receipt;
    const isStored = receipt.hasDetection ?? ((...query) => bus.log.hasDetection(...query));
    const endpoint = { tenantId: detection.metadata.tenant_uid, endpointId: detection.device.uid };
    const bound = { detectionId: detection.uid, ...endpoint };
    const since = lookUpSince(detection, receivedAt);
    if (since && (await isStored(endpoint, detection.uid, since))) {
      log.info(bound, 'detection was stored long ago');
      return 'duplicate';
    }
    const event = DetectionRaised.create({
      id: detection.uid,
      source: '/cordon/ingest',
      at: receivedAt,
      endpoint,
      data: { detection, raw },
    });
    await endOfTurn();
    const { duplicate } = await bus.log.append(event);
    if (duplicate) return 'duplicate';
    detections.inc({ severity: severityName(detection.severity_id).toLowerCase() });
    log.info({ ...bound, severity: detection.severity_id }, 'detection stored');
    return 'stored';
  }

  return {
    keepAll,
    quarantine,
    /** For records made from `start` on: one search of the log per endpoint. */
    lookUps: (start: Date): NonNullable<Receipt['hasDetection']> => createLookUps(bus.log, start),
  };
}

function detectionIdIn(record: unknown): string | undefined {
  if (typeof record !== 'object' || record === null || !('detect_id' in record)) return undefined;
  return typeof record.detect_id === 'string' && record.detect_id !== '' ? record.detect_id : undefined;
}

/**
 * From when on the log has to be searched for this detection, if at all. The webhook's signature has no timestamp, so a
 * captured request can be replayed for ever, while the broker remembers ids only for its duplicate window. What was made
 * within the last half of that window cannot have been stored before the window began.
 */
function lookUpSince(detection: Detection, receivedAt: Date): Date | undefined {
  // Without the cloud's own `gen_time` nothing says how old a record is.
  if (detection.metadata.labels?.some((label) => label.startsWith('time-from-'))) return new Date(0);
  const ageMs = receivedAt.getTime() - detection.time;
  if (Math.abs(ageMs) <= DUPLICATE_WINDOW_MS / 2) return undefined;
  return new Date(Math.min(detection.time, receivedAt.getTime()));
}
