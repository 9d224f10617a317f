import { hash } from 'node:crypto';
import { z } from 'zod';

/** One path segment of a subject: LimaCharlie ids are UUID-shaped, sometimes with letters beyond hex. */
const SUBJECT_TOKEN = /^[0-9A-Za-z][0-9A-Za-z-]{0,63}$/;
export const SubjectToken = z.string().regex(SUBJECT_TOKEN);
export const isSubjectToken = (text: string): boolean => SUBJECT_TOKEN.test(text);

/** The machine an event is about: LimaCharlie's organisation id and sensor id. */
export const Endpoint = z.object({ tenantId: SubjectToken, endpointId: SubjectToken });
export type Endpoint = z.infer<typeof Endpoint>;

/** The CloudEvents attributes every event carries, plus the endpoint it belongs to. */
export type Envelope<Type extends string, Data> = Endpoint & {
  /** Derived from what caused the event, so that a repeated append is the same event. */
  id: string;
  type: Type;
  /** Who says so, e.g. `/cordon/ingest`. */
  source: string;
  /** RFC 3339. */
  time: string;
  data: Data;
};
export type EventInput<Data> = { id: string; source: string; at: Date; endpoint: Endpoint; data: Data };

/** The event type behind a definition. */
export type EventOf<Definition extends { create: (...input: never[]) => unknown }> = ReturnType<Definition['create']>;

/**
 * Declares an event type: its name, which is also its subject's tail, and the schema of its data.
 * `schema` is that of the whole event; `create` builds one, with an `id` that says what caused it (see {@link eventId}).
 */
export function defineEvent<const Type extends string, Data extends z.ZodType>(type: Type, data: Data) {
  return {
    type,
    schema: z.object({
      ...Endpoint.shape,
      id: z.string().min(1).max(128),
      type: z.literal(type),
      source: z.string().min(1).max(128),
      time: z.iso.datetime(),
      data,
    }),
    create: ({ id, source, at, endpoint, data }: EventInput<z.infer<Data>>): Envelope<Type, z.infer<Data>> => ({
      id,
      type,
      source,
      time: at.toISOString(),
      tenantId: endpoint.tenantId,
      endpointId: endpoint.endpointId,
      data,
    }),
  };
}

/** A deterministic event id: the same type and causes give the same id, so the broker drops the repetition. */
export function eventId(type: string, ...causes: string[]): string {
  return sha256([type, ...causes].join('\n')).slice(0, 32);
}

/** Lower-case hex SHA-256 of a text (as UTF-8) or of bytes. */
export function sha256(content: string | Uint8Array): string {
  return hash('sha256', content);
}
