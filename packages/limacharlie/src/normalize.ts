import { type Detection, type RawRecord, sha256, SubjectToken } from '@cordon/contracts';
import { z } from 'zod';
import { attacksOf } from './attack.ts';
import { createCutter } from './cut.ts';
import { isIsolatable, platformName, platformOf, platformOfSource } from './platform.ts';
import { processOf } from './process.ts';
import { readRecord } from './record.ts';

/** What became of a record: a valid detection, or a sentence that says what is missing and where. */
export type Normalized = { detection: Detection } | { problem: string };

/** OCSF's severity ids for the levels that Sigma and LimaCharlie rules use. */
const LEVELS: ReadonlyMap<string, number> = new Map([
  ['informational', 1],
  ['low', 2],
  ['medium', 3],
  ['high', 4],
  ['critical', 5],
]);
/** OCSF's operating system types, by platform. */
const OPERATING_SYSTEMS: ReadonlyMap<string, { name: string; type_id: number }> = new Map([
  ['windows', { name: 'Windows', type_id: 100 }],
  ['linux', { name: 'Linux', type_id: 200 }],
  ['macos', { name: 'macOS', type_id: 300 }],
]);
const MOST_LABELS = 64;

const Address = z.union([z.ipv4(), z.ipv6()]).optional().catch(undefined);

/**
 * A LimaCharlie detection record in Cordon's own words. Total: any input gives a detection that is valid against its
 * schema, or a problem for the quarantine; it never throws. The same record gives the same `uid`. That it is valid follows
 * from what is read and cut here, and is not checked again for each: the tests do so, with whatever can be sent.
 *
 * `raw` is the record as received (its digest stands in for a missing `detect_id`), `receivedAt` the time of receipt.
 *
 * Strings are kept as received. What had to be decided is told in `metadata.labels`, before the tags of sensor and rule:
 * `truncated` (something was cut to the schema's length), `time-from-event` or `time-from-receipt` (no `gen_time`),
 * `event-time-unreadable` (the endpoint's clock said something that is no time).
 */
export function normalize(record: unknown, raw: RawRecord, receivedAt: Date): Normalized {
  const read = readRecord(record);
  if (!read) return { problem: 'The record is not a JSON object, so it is no LimaCharlie detection.' };
  const { cat, routing, detect_id, detect_mtd, source_rule, rule_tags, ...rest } = read;
  if (cat === undefined) {
    return { problem: '`cat` is missing, so this is no detection: the output has to be of type `detect`.' };
  }
  const oid = idIn('oid', routing.oid);
  if (typeof oid !== 'string') return oid;
  const sid = idIn('sid', routing.sid);
  if (typeof sid !== 'string') return sid;
  const times = timesOf(rest.gen_time, routing.event_time, receivedAt);
  if ('problem' in times) return times;

  const cut = createCutter();
  const platform = platformOf(routing.plat) ?? platformOfSource(rest.source);
  const process = processOf(read, platformName(platform), cut);
  const attacks = cut.list(attacksOf([...detect_mtd.tags, ...rule_tags]), 32);
  const sensorTags = cut.list(
    routing.tags.map((tag) => cut.text(tag, 128)),
    MOST_LABELS,
  );
  const tags = new Set([...routing.tags, ...rule_tags].map((tag) => cut.text(tag, 128)));
  const body: Omit<Detection, 'metadata'> = {
    schema_version: 1,
    uid: sha256(['limacharlie', oid, detect_id ?? raw.sha256].join('\n')),
    time: times.time,
    start_time: times.startTime,
    ...severityOf(detect_mtd.level, rest.priority),
    finding_info: {
      uid: cut.text(detect_id ?? raw.sha256, 128),
      title: cut.text(cat, 512),
      desc: cut.text(detect_mtd.description, 8192),
      src_url: rest.link,
      // LimaCharlie docs call `source` the rule's origin; in real bodies it is the AgentID, so only the rule names it.
      analytic: source_rule === undefined ? undefined : { type_id: 1, name: cut.text(source_rule, 512) },
      attacks: attacks.length === 0 ? undefined : attacks,
    },
    device: {
      uid: sid,
      hostname: cut.text(routing.hostname ?? sid, 255),
      type_id: 0,
      isolatable: isIsolatable(platform, routing.arch),
      ip: Address.parse(routing.int_ip),
      external_ip: Address.parse(routing.ext_ip),
      os: OPERATING_SYSTEMS.get(platformName(platform)),
      tags: sensorTags.length === 0 ? undefined : sensorTags,
    },
    evidences: process ? [{ process }] : [],
  };
  const metadata: Detection['metadata'] = {
    version: '1.8.0',
    product: { name: 'LimaCharlie', vendor_name: 'LimaCharlie' },
    tenant_uid: oid,
    original_event_uid: cut.text(routing.event_id, 128),
    logged_time: receivedAt.getTime(),
  };
  const truncated = cut.truncated || times.labels.length + tags.size > MOST_LABELS;
  const labels = [...(truncated ? ['truncated'] : []), ...times.labels, ...tags].slice(0, MOST_LABELS);
  return { detection: { ...body, metadata: { ...metadata, labels: labels.length === 0 ? undefined : labels } } };
}

/** An id of the organisation or the sensor, which becomes a part of subjects. */
function idIn(name: string, id: string | undefined): string | { problem: string } {
  if (id === undefined) return { problem: `\`${name}\` is missing in \`routing\` and in \`detect.routing\`.` };
  if (SubjectToken.safeParse(id).success) return id;
  return { problem: `\`routing.${name}\` is no id: that takes letters, digits and hyphens, at most 64.` };
}

type Times = { time: number; startTime: number | undefined; labels: string[] };

/**
 * `gen_time` is the cloud's clock and may be missing in old and replayed records; then the endpoint's `event_time`
 * counts, then the receipt. The endpoint's clock is in an attacker's hand: where nothing depends on it, nonsense there
 * must not keep a detection from the team.
 */
function timesOf(genTime: unknown, eventTime: unknown, receivedAt: Date): Times | { problem: string } {
  const made = epochMs(genTime);
  const happened = epochMs(eventTime);
  const expected = 'takes epoch seconds or milliseconds (10 or 13 digits).';
  if (made === 'unreadable') return { problem: `\`gen_time\` is no time: it ${expected}` };
  if (made !== undefined) {
    if (happened !== 'unreadable') return { time: made, startTime: happened, labels: [] };
    return { time: made, startTime: undefined, labels: ['event-time-unreadable'] };
  }
  if (happened === 'unreadable') {
    return { problem: `\`gen_time\` is missing and \`routing.event_time\` is no time: it ${expected}` };
  }
  if (happened === undefined)
    return { time: receivedAt.getTime(), startTime: undefined, labels: ['time-from-receipt'] };
  return { time: happened, startTime: happened, labels: ['time-from-event'] };
}

/** 13 digits are milliseconds, 10 are seconds, as a number or as text; nothing else is taken for a time. */
function epochMs(value: unknown): number | undefined | 'unreadable' {
  if (value === undefined || value === null || value === '') return undefined;
  const digits = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  if (/^\d{13}$/.test(digits)) return Number(digits);
  return /^\d{10}$/.test(digits) ? Number(digits) * 1000 : 'unreadable';
}

/** The rule's own level first; LimaCharlie's `priority` runs from 0 to 10; without both it is medium, and says so. */
function severityOf(
  level: string | undefined,
  priority: number | undefined,
): Pick<Detection, 'severity_id' | 'severity_basis'> {
  const severityId = LEVELS.get(level?.toLowerCase() ?? '');
  if (severityId !== undefined) return { severity_id: severityId, severity_basis: 'rule' };
  if (priority === undefined || priority < 1 || priority > 10) return { severity_id: 3, severity_basis: 'default' };
  if (priority <= 2) return { severity_id: 2, severity_basis: 'priority' };
  if (priority <= 5) return { severity_id: 3, severity_basis: 'priority' };
  return { severity_id: priority <= 8 ? 4 : 5, severity_basis: 'priority' };
}
