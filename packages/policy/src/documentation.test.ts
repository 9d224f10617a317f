import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parsePolicy } from './parse-policy.ts';

const guide = await readFile(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
const examples = [...guide.matchAll(/^## (.+?)$(?:(?!^## )[^])*?^```yaml\n([^]*?)^```/gm)];

test('the guide has examples', () => expect(examples).toHaveLength(5));

test.each(examples.map(([, title = '', text = '']) => ({ title, text })))('$title is a policy', ({ text }) => {
  expect(() => parsePolicy(text)).not.toThrow();
});
