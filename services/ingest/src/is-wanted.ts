import type { WebhookRecord } from '@cordon/limacharlie';
import { z } from 'zod';

const Sent = z.object({ cat: z.unknown().optional(), rule_tags: z.array(z.unknown()).catch([]).default([]) });

/**
 * Whether the output would have sent this record: LimaCharlie's API lists every detection of the organisation. LimaCharlie
 * docs: a name that begins with `__` is not sent to outputs; `rule_tag_white_list` lets one of the tags suffice. No tags
 * take every rule's.
 */
export function isWanted(record: WebhookRecord, ruleTags: readonly string[]): boolean {
  const sent = Sent.safeParse('value' in record ? record.value : undefined).data;
  if (typeof sent?.cat === 'string' && sent.cat.startsWith('__')) return false;
  return ruleTags.length === 0 || (sent?.rule_tags.some((tag) => ruleTags.some((wanted) => wanted === tag)) ?? false);
}
