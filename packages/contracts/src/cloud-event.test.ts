import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aDetectionRaised, aDetection } from './builders.ts';
import { decodeEvent, encodeEvent, eventId, parseSubject, subjectOf } from './index.ts';

test('an event survives the wire, whatever its strings hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const event = aDetectionRaised(aDetection({ commandLine: text, hostname: 'h' }));
      const { headers, payload } = encodeEvent({
        ...event,
        source: `/x${text}`.slice(0, 100).replace(/\p{Surrogate}/gu, ''),
      });
      for (const value of Object.values(headers)) expect(value).toMatch(/^[\u0020-\u007e]*$/);
      expect(decodeEvent((name) => headers[name] ?? '', payload).data).toEqual(event.data);
    }),
  );
});

test('a message that is no event is refused', () => {
  const { headers, payload } = encodeEvent(aDetectionRaised());
  expect(() => decodeEvent((name) => headers[name] ?? '', '{}')).toThrow('detection');
  expect(() => decodeEvent((name) => headers[name] ?? '', 'not json')).toThrow('JSON');
  expect(() => decodeEvent((name) => ({ ...headers, 'ce-type': 'isolation.invented' })[name] ?? '', payload)).toThrow(
    'type',
  );
});

test('ids are derived from type and cause alone', () => {
  expect(eventId('a', 'b', 'c')).toBe(eventId('a', 'b', 'c'));
  expect(eventId('a', 'b', 'c')).not.toBe(eventId('a', 'bc'));
});

test('a subject names its endpoint and type, and nothing else passes for one', () => {
  const endpoint = { tenantId: 't-1', endpointId: 'e-1' };
  expect(parseSubject(subjectOf(endpoint, 'approval.decided'))).toEqual({ endpoint, type: 'approval.decided' });
  for (const subject of [
    'cordon.events.t.e.approval',
    'cordon.events.t.e.a.b.c',
    'other.events.t.e.a.b',
    'cordon.events.*.e.a.b',
  ]) {
    expect(parseSubject(subject)).toBeUndefined();
  }
});
