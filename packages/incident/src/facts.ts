import { type Detection, severityName } from '@cordon/contracts';
import type { Finding, Incident } from './state.ts';

/** A label of ours and a value that an attacker may have written. */
export type Fact = { label: string; value: string };

type Optional = { label: string; value: string | number | undefined };

/** What people decide on, beside the command line. */
export function factsOf(incident: Incident): Fact[] {
  const { detection } = incident;
  const process = detection.evidences[0]?.process;
  return present([
    { label: 'Host', value: incident.hostname },
    { label: 'Severity', value: severityName(detection.severity_id) },
    { label: 'Finding', value: detection.finding_info.title },
    { label: 'User', value: process?.user?.name },
    { label: 'File', value: process?.file?.path ?? process?.file?.name },
    { label: 'SHA-256', value: hashOf(detection, 3) },
    { label: 'Sensor', value: incident.endpointId },
    { label: 'Detections', value: countOf(incident) },
  ]);
}

/** When it was detected. */
export function detectedAt({ detection }: Incident): Date {
  return new Date(detection.time);
}

/** The command line of the detection that opened the incident. */
export function commandLineOf({ detection }: Incident): string | undefined {
  return detection.evidences[0]?.process?.cmd_line || undefined;
}

/** What an analyst asks next. */
export function detailsOf(detection: Detection): Fact[] {
  const { device, metadata, finding_info: info } = detection;
  const process = detection.evidences[0]?.process;
  const parent = process?.parent_process;
  const attacks = (info.attacks ?? []).map(({ tactic, technique, sub_technique: sub }) =>
    [tactic && `${tactic.name} (${tactic.uid})`, sub?.uid ?? technique?.uid].filter(Boolean).join(' '),
  );
  return present([
    { label: 'Rule', value: info.analytic?.name },
    { label: 'Description', value: info.desc },
    { label: 'ATT&CK', value: attacks.join(', ') },
    { label: 'Tags', value: metadata.labels?.join(', ') },
    { label: 'Process ID', value: process?.pid },
    { label: 'Parent process', value: parent?.file?.path ?? parent?.file?.name },
    { label: 'Parent command line', value: parent?.cmd_line },
    { label: 'MD5', value: hashOf(detection, 1) },
    { label: 'SHA-1', value: hashOf(detection, 2) },
    { label: 'SHA-256', value: hashOf(detection, 3) },
    { label: 'Sensor', value: device.uid },
    { label: 'Internal IP', value: device.ip },
    { label: 'External IP', value: device.external_ip },
    { label: 'Operating system', value: device.os?.name },
    { label: 'User', value: process?.user?.name },
    { label: 'Detection ID', value: metadata.original_event_uid ?? info.uid },
    { label: 'Organization', value: metadata.tenant_uid },
  ]);
}

/** What one further finding showed, beside its command line. */
export function findingFacts(finding: Finding): Fact[] {
  return present([
    { label: 'Finding', value: finding.title },
    { label: 'File', value: finding.filePath },
    { label: 'SHA-256', value: finding.sha256 },
  ]);
}

/** How many detections, in words. */
function countOf({ detectionCount, findings, findingsDropped, suppressedCount }: Incident): string {
  const distinct = findingsDropped > 0 ? `more than ${findings.length}` : String(findings.length);
  const parts = [String(detectionCount)];
  if (findings.length > 1) parts.push(`${distinct} different findings`);
  if (suppressedCount > 0) parts.push(`${suppressedCount} more after the decision`);
  return parts.join(', ');
}

function hashOf(detection: Detection, algorithm: 1 | 2 | 3): string | undefined {
  return detection.evidences[0]?.process?.file?.hashes?.find(({ algorithm_id: id }) => id === algorithm)?.value;
}

function present(facts: Optional[]): Fact[] {
  return facts.flatMap(({ label, value }) =>
    value === undefined || value === '' ? [] : [{ label, value: String(value) }],
  );
}
