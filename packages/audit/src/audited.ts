import type { StoredEvent } from '@cordon/contracts';
import type { AuditedEvent } from './record.ts';

/**
 * What is recorded of an event: all of it. Only the text that a detection came as is left out, which would double the
 * broker's disk in a storm; its digest stays, and says which text it was.
 */
export function audited(event: StoredEvent): AuditedEvent {
  if (event.type !== 'detection.raised') return event;
  const { body: _, ...raw } = event.data.raw;
  return { ...event, data: { ...event.data, raw } };
}
