import { createMetrics, createLogger, serveAdmin } from './index.ts';
import { expect, test } from 'vitest';

test('livez always answers, readyz says why it cannot work', async () => {
  const problems = ['no connection to the broker'];
  const admin = await serveAdmin({
    host: '127.0.0.1',
    port: 0,
    metrics: createMetrics('test'),
    problems: () => problems,
  });
  const url = `http://127.0.0.1:${admin.port}`;
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const notReady = await fetch(`${url}/readyz`);
  expect(notReady.status).toBe(503);
  expect(await notReady.json()).toEqual({ status: 'not ready', problems: ['no connection to the broker'] });
  problems.pop();
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('process_resident_memory_bytes{service="test"}');
  await admin.close();
});

test('the log leaves secrets out wherever they stand, and an attacker cannot start a line of his own', () => {
  const lines: string[] = [];
  const log = createLogger('test', 'info', { write: (line) => void lines.push(line) });
  log.info(
    {
      token: 'tk-1',
      request: { headers: { authorization: 'tk-2', cookie: 'tk-3' } },
      auth: { password: 'tk-4', apiKey: 'tk-5' },
      file: 'a\n{"level":60}',
    },
    'said',
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toMatch(/tk-\d/);
  expect(lines[0]?.trimEnd()).not.toContain('\n');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ file: 'a\n{"level":60}', msg: 'said' });
});
