import { type Endpoint, eventId, type StoredEvent } from '@cordon/contracts';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { isConflict } from './errors.ts';
import { publish } from './publish.ts';
import { readStream } from './read-stream.ts';
import { AUDIT, DUPLICATE_WINDOW_MS } from './topology.ts';

/** Where the audit log is kept, one record on a line. What is in a record is not its business. */
export interface AuditLog {
  /** The sequences that are there: `last` is that of the newest line ever, also where none is left. */
  range(): Promise<{ first: number; last: number }>;
  lineAt(seq: number): Promise<string | undefined>;
  /** Appends the record of an event, if `after` is still the last sequence. False where it is not, or the record is there. */
  append(event: StoredEvent, line: string, after: number): Promise<boolean>;
  /** Whether the record of an event is there, however long ago it was made. */
  has(event: StoredEvent): Promise<boolean>;
}

export function auditLog(js: JetStreamClient, jsm: JetStreamManager): AuditLog {
  return {
    async range() {
      const { first_seq: first, last_seq: last } = (await jsm.streams.info(AUDIT)).state;
      return { first, last };
    },
    lineAt: async (seq) => (await jsm.streams.getMessage(AUDIT, { seq }))?.string(),

    async append(event, line, after) {
      try {
        const expect = { lastSequence: after };
        const ack = await publish(js, auditSubject(event), line, { id: recordId(event), expect });
        return !ack.duplicate;
      } catch (error) {
        if (isConflict(error)) return false;
        throw error;
      }
    },

    async has(event) {
      const startTime = new Date(Date.parse(event.time) - DUPLICATE_WINDOW_MS); // clocks differ
      const id = recordId(event);
      for await (const { header } of readStream(jsm, AUDIT, { startTime, filter: auditSubject(event) })) {
        if (header.get('Nats-Msg-Id') === id) return true;
      }
      return false;
    },
  };
}

/** By endpoint, so that all about one is found without reading the rest. */
export function auditSubject({ tenantId, endpointId }: Endpoint): string {
  return `cordon.audit.${tenantId}.${endpointId}`;
}

/** By the place in the log, which nobody can choose: who made up an event with the id of another would hide that one. */
function recordId({ seq, id }: StoredEvent): string {
  return eventId('audit', String(seq), id);
}
