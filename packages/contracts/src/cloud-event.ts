import { CordonEvent } from './registry.ts';

/** CloudEvents 1.0 in binary mode: the data is the payload, everything else a `ce-` header. */
export type Message = { headers: Record<string, string>; payload: string };

/** The message that carries an event. */
export function encodeEvent(event: CordonEvent): Message {
  return {
    headers: {
      'ce-specversion': '1.0',
      'ce-id': percentEncode(event.id),
      'ce-type': event.type,
      'ce-source': percentEncode(event.source),
      'ce-subject': `${event.tenantId}/${event.endpointId}`,
      'ce-time': event.time,
      'content-type': 'application/json',
    },
    payload: JSON.stringify(event.data),
  };
}

/** The event in a message. Throws (a `ZodError` or `SyntaxError`) where there is none: such a message never becomes one. */
export function decodeEvent(header: (name: string) => string, payload: string): CordonEvent {
  const [tenantId, endpointId] = header('ce-subject').split('/');
  return CordonEvent.parse({
    id: decodeURIComponent(header('ce-id')),
    type: header('ce-type'),
    source: decodeURIComponent(header('ce-source')),
    time: header('ce-time'),
    tenantId,
    endpointId,
    data: JSON.parse(payload),
  });
}

/** CloudEvents' NATS binding: space, quote, percent and all outside printable ASCII are percent-encoded once. */
function percentEncode(value: string): string {
  return value.replace(/[^\u0021\u0023\u0024\u0026-\u007e]/gu, encodeURIComponent);
}
