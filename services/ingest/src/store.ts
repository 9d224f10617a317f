import { type Bus, DUPLICATE_WINDOW_MS, TooLargeError } from '@cordon/bus';
import { type Detection, DetectionRaised, type RawRecord, sha256, severityName } from '@cordon/contracts';
import { normalize, type WebhookRecord } from '@cordon/limacharlie';
import type { Logger } from '@cordon/service';
import { Counter, type Registry } from 'prom-client';
import type { Outcome } from './answers.ts';

/** The part of the bus that ingest uses. */
export type Store = Pick<Bus, 'quarantine'> & { log: Pick<Bus['log'], 'append' | 'hasDetection'> };
/** When it came, and the `Content-Type` it came with. */
export type Receipt = { receivedAt: Date; mediaType: string };

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

  async function quarantine(body: Buffer, problem: string, { receivedAt, mediaType }: Receipt): Promise<Outcome> {
    const digest = sha256(body);
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
    return 'quarantined';
  }

  async function keep(record: WebhookRecord, receipt: Receipt): Promise<Outcome> {
    const bytes = Buffer.from(record.text, 'utf8');
    if ('problem' in record) return quarantine(bytes, record.problem, receipt);
    const raw = { media_type: 'application/json', sha256: sha256(bytes), size: bytes.length, body: record.text };
    const normalized = normalize(record.value, raw, receipt.receivedAt);
    if ('problem' in normalized) return quarantine(bytes, normalized.problem, receipt);
    try {
      return await append(normalized.detection, raw, receipt.receivedAt);
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      return quarantine(bytes, `The detection is too large for the event log: ${error.message}.`, receipt);
    }
  }

  async function append(detection: Detection, raw: RawRecord, receivedAt: Date): Promise<Outcome> {
    const endpoint = { tenantId: detection.metadata.tenant_uid, endpointId: detection.device.uid };
    const bound = { detectionId: detection.uid, ...endpoint };
    const since = lookUpSince(detection, receivedAt);
    if (since && (await bus.log.hasDetection(endpoint, detection.uid, since))) {
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
    const { duplicate } = await bus.log.append(event);
    if (duplicate) return 'duplicate';
    detections.inc({ severity: severityName(detection.severity_id).toLowerCase() });
    log.info({ ...bound, severity: detection.severity_id }, 'detection stored');
    return 'stored';
  }

  return { keep, quarantine };
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
