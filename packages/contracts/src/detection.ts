import { z } from 'zod';
import { defineEvent, SubjectToken, type EventOf } from './event.ts';

const Milliseconds = z.int().nonnegative();
const Hash = z.object({
  /** OCSF: 1 MD5, 2 SHA-1, 3 SHA-256. */
  algorithm_id: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  value: z.string().regex(/^[0-9a-f]{32,64}$/),
});
const File = z.object({
  name: z.string().max(512),
  path: z.string().max(4096).optional(),
  type_id: z.int(),
  hashes: z.array(Hash).max(8).optional(),
});
const Process = z.object({
  uid: z.string().max(128).optional(),
  pid: z.int().optional(),
  cmd_line: z.string().max(32_768).optional(),
  user: z.object({ name: z.string().max(512) }).optional(),
  file: File.optional(),
});

/**
 * What an EDR found, normalized: a strict subset of an OCSF 1.8 Detection Finding (class 2004) with OCSF's names and
 * enums. Every string in it is written by an attacker and stored as received; whoever shows it escapes it.
 */
export const Detection = z.strictObject({
  schema_version: z.literal(1),
  /** SHA-256 over vendor, organisation and the vendor's detection id: one detection, however often delivered. */
  uid: z.string().regex(/^[0-9a-f]{64}$/),
  /** When the detection was made, in epoch milliseconds. */
  time: Milliseconds,
  /** When the activity happened, by the endpoint's clock. */
  start_time: Milliseconds.optional(),
  /** 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 6 fatal. */
  severity_id: z.int().min(0).max(6),
  severity_basis: z.enum(['rule', 'priority', 'policy', 'default']),
  finding_info: z.object({
    uid: z.string().max(128),
    title: z.string().min(1).max(512),
    desc: z.string().max(8192).optional(),
    src_url: z.url({ protocol: /^https$/ }).optional(),
    analytic: z
      .object({ type_id: z.literal(1), name: z.string().max(512).optional(), uid: z.string().max(512).optional() })
      .optional(),
    attacks: z
      .array(
        z.object({
          tactic: z.object({ uid: z.string().regex(/^TA\d{4}$/), name: z.string() }).optional(),
          technique: z.object({ uid: z.string().regex(/^T\d{4}$/) }).optional(),
          sub_technique: z.object({ uid: z.string().regex(/^T\d{4}\.\d{3}$/) }).optional(),
        }),
      )
      .max(32)
      .optional(),
  }),
  metadata: z.object({
    version: z.literal('1.8.0'),
    product: z.object({ name: z.string(), vendor_name: z.string() }),
    tenant_uid: SubjectToken,
    original_event_uid: z.string().max(128).optional(),
    logged_time: Milliseconds,
    labels: z.array(z.string().max(128)).max(64).optional(),
  }),
  device: z.object({
    /** LimaCharlie's sensor id: the isolation target. */
    uid: SubjectToken,
    hostname: z.string().max(255),
    type_id: z.int(),
    /** False where there is no endpoint behind the source (a cloud adapter). */
    isolatable: z.boolean(),
    ip: z.union([z.ipv4(), z.ipv6()]).optional(),
    external_ip: z.union([z.ipv4(), z.ipv6()]).optional(),
    os: z.object({ name: z.string(), type_id: z.int() }).optional(),
    /** The sensor's tags in the EDR. Absent in events of version 0.1, which have them among the labels. */
    tags: z.array(z.string().max(128)).max(64).optional(),
  }),
  evidences: z.array(z.object({ process: Process.extend({ parent_process: Process.optional() }).optional() })).max(8),
});
export type Detection = z.infer<typeof Detection>;

/** The record as the vendor sent it. `body` is the exact text, so that `sha256` can be checked again at any time. */
export const RawRecord = z.strictObject({
  media_type: z.string().max(128),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
  body: z.string(),
});
export type RawRecord = z.infer<typeof RawRecord>;

/** An EDR raised a detection. Its id is the detection's uid. */
export const DetectionRaised = defineEvent('detection.raised', z.object({ detection: Detection, raw: RawRecord }));
export type DetectionRaised = EventOf<typeof DetectionRaised>;

const SEVERITIES = ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical', 'Fatal'] as const;

/** OCSF's caption of a severity id. */
export function severityName(severityId: number): string {
  return SEVERITIES[severityId] ?? 'Unknown';
}
