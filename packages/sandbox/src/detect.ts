import { randomUUID } from 'node:crypto';
import { evaluate, type EventRecord, type StoredRule } from '@cordon/rules';
import { z } from 'zod';

const Routing = z.object({
  oid: z.string(),
  iid: z.string(),
  sid: z.string(),
  plat: z.number(),
  arch: z.number(),
  event_time: z.number(),
  this: z.string(),
});

/** A detection in the full shape LimaCharlie delivers today, keys in alphabetical order as in real bodies. */
export type Detection = Record<string, unknown> & { cat: string; detect: EventRecord; detect_id: string };

/**
 * What the cloud makes of one record: a detection for each published report of each enabled rule that matches it.
 *
 * `at` is when the cloud sees the record, in milliseconds. Throws when `routing` lacks what a detection points at.
 */
export function detect(rules: StoredRule[], record: EventRecord, at: number): Detection[] {
  const { oid, iid, sid, plat, arch, event_time, this: atom } = Routing.parse(record.routing);
  return rules
    .filter(({ enabled, rule }) => enabled && evaluate(rule.detect, record).matched)
    .flatMap(({ name, tags, rule }) =>
      rule.respond.flatMap((report) => {
        if (report.action !== 'report' || !report.publish) return [];
        return {
          author: 'analyst@example.com',
          cat: report.name,
          detect: record,
          detect_id: randomUUID(),
          ...(report.metadata ? { detect_mtd: report.metadata } : {}),
          gen_time: at,
          link: `https://app.limacharlie.io/orgs/${oid}/sensors/${sid}/timeline?time=${Math.floor(event_time / 1000)}&selected=${atom}`,
          namespace: 'general',
          ...(report.priority === undefined ? {} : { priority: report.priority }),
          routing: record.routing,
          ...(tags.length > 0 ? { rule_tags: tags } : {}),
          source: [oid, iid, sid, plat.toString(16).padStart(8, '0'), arch].join('.'),
          source_rule: `general.${name}`,
        };
      }),
    );
}
