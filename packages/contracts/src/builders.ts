import { randomUUID } from 'node:crypto';
import { Detection, DetectionRaised } from './detection.ts';
import { type Endpoint, sha256 } from './event.ts';
import type { CordonEvent, StoredEvent } from './registry.ts';

/** Valid test data: a test names only what it is about. */
export function aDetection(
  about: { endpoint?: Endpoint; hostname?: string; commandLine?: string; title?: string; filePath?: string } = {},
): Detection {
  const endpoint = about.endpoint ?? anEndpoint();
  const detectId = randomUUID();
  const path = about.filePath ?? 'C:\\Users\\mallory\\Downloads\\LaZagne.exe';
  return Detection.parse({
    schema_version: 1,
    uid: sha256(`limacharlie\n${endpoint.tenantId}\n${detectId}`),
    time: Date.now(),
    severity_id: 4,
    severity_basis: 'rule',
    finding_info: {
      uid: detectId,
      title: about.title ?? 'MyDFIR - HackTool - Lazagne',
      analytic: { type_id: 1, name: 'general.cordon-lazagne' },
    },
    metadata: {
      version: '1.8.0',
      product: { name: 'LimaCharlie', vendor_name: 'refractionPOINT' },
      tenant_uid: endpoint.tenantId,
      logged_time: Date.now(),
    },
    device: {
      uid: endpoint.endpointId,
      hostname: about.hostname ?? 'win-srv-07',
      type_id: 0,
      isolatable: true,
      os: { name: 'Windows', type_id: 100 },
    },
    evidences: [
      {
        process: {
          cmd_line: about.commandLine ?? `"${path}" all`,
          user: { name: 'CORP\\mallory' },
          file: {
            name: path.slice(path.lastIndexOf('\\') + 1),
            path,
            type_id: 1,
            hashes: [{ algorithm_id: 3, value: sha256(path) }],
          },
        },
      },
    ],
  });
}

export function anEndpoint(): Endpoint {
  return { tenantId: randomUUID(), endpointId: randomUUID() };
}

export function aDetectionRaised(detection = aDetection(), at = new Date()): DetectionRaised {
  const body = JSON.stringify({ detect_id: detection.finding_info.uid });
  return DetectionRaised.create({
    id: detection.uid,
    source: '/cordon/ingest',
    at,
    endpoint: { tenantId: detection.metadata.tenant_uid, endpointId: detection.device.uid },
    data: { detection, raw: { media_type: 'application/json', sha256: sha256(body), size: body.length, body } },
  });
}

/** Events as the log would hold them, one after the other. */
export function stored(events: CordonEvent[], firstSeq = 1): StoredEvent[] {
  return events.map((event, index) => ({ ...event, seq: firstSeq + index }));
}
