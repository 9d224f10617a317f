import { z } from 'zod';

/*
 * A detection as LimaCharlie delivers it, read so that an odd field never fails the record: what is not of the expected
 * type counts as absent, and so does "". Real bodies nest the triggering record (`detect.event`, `detect.routing`); the
 * vendor's documentation shows `detect` as the bare event. Both are read.
 */
const text = z.string().min(1).optional().catch(undefined);
const whole = z.int().optional().catch(undefined);
const texts = z
  .array(z.unknown())
  .transform((items) => items.filter((item): item is string => typeof item === 'string' && item !== ''))
  .catch([])
  .default([]);
const object = <Shape extends z.ZodRawShape>(shape: Shape) => z.object(shape).optional().catch(undefined);

const processFields = { PROCESS_ID: whole, COMMAND_LINE: text, FILE_PATH: text, HASH: text, USER_NAME: text };
const eventFields = {
  ...processFields,
  PARENT_PROCESS_ID: whole,
  PARENT: object({ ...processFields, THIS_ATOM: text }),
};
const routing = object({
  oid: text,
  sid: text,
  event_id: text,
  event_type: text,
  event_time: z.unknown().optional(),
  hostname: text,
  int_ip: text,
  ext_ip: text,
  plat: z.unknown().optional(),
  arch: whole,
  this: text,
  parent: text,
  tags: texts,
});

/** The fields of a detection record that Cordon uses; see limacharlie docs, "Stream Structures" and "routing". */
export const DetectionRecord = z
  .object({
    cat: text,
    detect: object({ ...eventFields, event: object(eventFields), routing }),
    detect_id: text,
    detect_mtd: object({ description: text, level: text, tags: texts }),
    gen_time: z.unknown().optional(),
    link: z
      .url({ protocol: /^https$/ })
      .optional()
      .catch(undefined),
    priority: whole,
    routing,
    rule_tags: texts,
    source: text,
    source_rule: text,
  })
  .transform(({ detect, routing, ...rest }) => ({
    ...rest,
    event: detect?.event ?? detect ?? {},
    routing: routing ?? detect?.routing ?? { tags: [] },
  }));
export type DetectionRecord = z.infer<typeof DetectionRecord>;
