import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeEvent, subjectOf } from './index.ts';

/** What earlier versions stored: `test/upgrades/record-events.ts` took it from their logs. */
const folder = new URL('../fixtures/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.startsWith('events-'));

type Kept = { subject: string; headers: Record<string, string>; payload: string };

test.each(files)('every event in %s still reads as it was meant', (file) => {
  const lines = readFileSync(new URL(file, folder), 'utf8').trim().split('\n');
  expect(lines.length).toBeGreaterThan(100);
  for (const line of lines) {
    const { subject, headers, payload }: Kept = JSON.parse(line);
    const event = decodeEvent((name) => headers[name] ?? '', payload);
    expect(event.data).toMatchObject(JSON.parse(payload)); // nothing is dropped or renamed; fields may have been added
    expect(subjectOf(event, event.type)).toBe(subject);
    expect(event.id).toBe(headers['Nats-Msg-Id']);
  }
});
