import { type Detection, eventId, sha256 } from '@cordon/contracts';
import type { Finding, Incident } from './state.ts';

/** The incident that a detection opens, if it opens one. */
export function incidentIdOf(detection: Detection): string {
  return eventId('incident', detection.uid);
}

/** What a detection showed. `at` is when it was stored. */
export function findingOf(detection: Detection, at: string): Finding {
  const process = detection.evidences[0]?.process;
  const hash = process?.file?.hashes?.find((candidate) => candidate.algorithm_id === 3)?.value;
  const rule = detection.finding_info.analytic?.name ?? detection.finding_info.title;
  return {
    fingerprint: sha256(JSON.stringify([rule, hash ?? null, process?.cmd_line ?? null])).slice(0, 32),
    title: detection.finding_info.title,
    commandLine: process?.cmd_line,
    filePath: process?.file?.path ?? process?.file?.name,
    sha256: hash,
    user: process?.user?.name,
    firstAt: at,
    lastAt: at,
    count: 1,
  };
}

/**
 * A digest of exactly the facts a person decides on: the target, the question, the detection, and every distinct finding.
 * Counters are left out on purpose, or a storm of the same finding would make deciding impossible.
 */
export function factsDigest(incident: Incident): string {
  const { id, tenantId, endpointId, hostname, question, detection, findings } = incident;
  return sha256(
    JSON.stringify([
      [id, tenantId, endpointId, hostname, question?.eventId ?? null, detection.uid],
      findings.map((finding) => finding.fingerprint),
    ]),
  );
}
