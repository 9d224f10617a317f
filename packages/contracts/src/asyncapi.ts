import { z } from 'zod';
import { CordonEvent } from './registry.ts';

/**
 * The AsyncAPI 3 document of the bus, made from the registry: one channel per event type, with its subject, its headers
 * and the JSON Schema of its payload. AsyncAPI knows no JetStream, so streams stand under `x-jetstream`.
 */
export function asyncApi(): Record<string, unknown> {
  const events = CordonEvent.options.map((option) => ({ type: option.shape.type.value, data: option.shape.data }));
  return {
    asyncapi: '3.1.0',
    info: { title: 'Cordon events', version: '1.0.0', description: 'One ordered log per endpoint on NATS JetStream.' },
    defaultContentType: 'application/json',
    servers: { bus: { host: 'nats:4222', protocol: 'nats' } },
    channels: Object.fromEntries(
      events.map(({ type }) => [
        type,
        {
          address: `cordon.events.{tenant}.{endpoint}.${type}`,
          parameters: {
            tenant: { description: 'LimaCharlie organisation id' },
            endpoint: { description: 'LimaCharlie sensor id' },
          },
          messages: { [type]: { $ref: `#/components/messages/${type}` } },
          'x-jetstream': { stream: 'CORDON_EVENTS', dedupe: 'Nats-Msg-Id' },
        },
      ]),
    ),
    components: {
      messages: Object.fromEntries(
        events.map(({ type, data }) => [
          type,
          {
            headers: headersOf(type),
            payload: { schemaFormat: 'application/schema+json;version=draft-2020-12', schema: z.toJSONSchema(data) },
          },
        ]),
      ),
    },
  };
}

/** CloudEvents 1.0 in binary mode. */
function headersOf(type: string): Record<string, unknown> {
  const text = { type: 'string' };
  return {
    type: 'object',
    required: ['ce-specversion', 'ce-id', 'ce-type', 'ce-source', 'ce-subject', 'ce-time'],
    properties: {
      'ce-specversion': { const: '1.0' },
      'ce-id': text,
      'ce-type': { const: type },
      'ce-source': text,
      'ce-subject': text,
      'ce-time': text,
    },
  };
}
