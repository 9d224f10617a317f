import { z } from 'zod';

const Link = z
  .url({ protocol: /^https$/ })
  .optional()
  .catch(undefined);

export type DetectionRecord = NonNullable<ReturnType<typeof readRecord>>;

/**
 * The fields of a detection record that Cordon uses, as LimaCharlie delivers it; see limacharlie docs, "Stream Structures"
 * and "routing". Nothing where the record is no object. An odd field never fails the record: what is not of the expected
 * type counts as absent, and so does "". That leaves a schema nothing to check.
 *
 * Real bodies nest the triggering record (`detect.event`, `detect.routing`); the vendor's documentation shows `detect` as
 * the bare event. Both are read.
 */
export function readRecord(record: unknown) {
  if (!isObject(record)) return undefined;
  const detect = objectOf(record['detect']);
  const metadata = objectOf(record['detect_mtd']);
  return {
    cat: text(record['cat']),
    detect_id: text(record['detect_id']),
    detect_mtd: {
      description: text(metadata['description']),
      level: text(metadata['level']),
      tags: texts(metadata['tags']),
    },
    gen_time: record['gen_time'],
    link: Link.parse(record['link']),
    priority: whole(record['priority']),
    rule_tags: texts(record['rule_tags']),
    source: text(record['source']),
    source_rule: text(record['source_rule']),
    event: eventIn(isObject(detect['event']) ? detect['event'] : detect),
    routing: routingIn(isObject(record['routing']) ? record['routing'] : objectOf(detect['routing'])),
  };
}

type Fields = Record<string, unknown>;

function eventIn(event: Fields) {
  return {
    ...processIn(event),
    PARENT_PROCESS_ID: whole(event['PARENT_PROCESS_ID']),
    PARENT: processIn(objectOf(event['PARENT'])),
  };
}

function processIn(process: Fields) {
  return {
    PROCESS_ID: whole(process['PROCESS_ID']),
    COMMAND_LINE: text(process['COMMAND_LINE']),
    FILE_PATH: text(process['FILE_PATH']),
    HASH: text(process['HASH']),
    USER_NAME: text(process['USER_NAME']),
    THIS_ATOM: text(process['THIS_ATOM']),
  };
}

function routingIn(routing: Fields) {
  return {
    oid: text(routing['oid']),
    sid: text(routing['sid']),
    event_id: text(routing['event_id']),
    event_type: text(routing['event_type']),
    event_time: routing['event_time'],
    hostname: text(routing['hostname']),
    int_ip: text(routing['int_ip']),
    ext_ip: text(routing['ext_ip']),
    plat: routing['plat'],
    arch: whole(routing['arch']),
    this: text(routing['this']),
    parent: text(routing['parent']),
    tags: texts(routing['tags']),
  };
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function texts(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is string => typeof item === 'string' && item !== '');
}

function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}
