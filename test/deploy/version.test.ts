import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readText } from './services.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const version = /^## (\S+)$/m.exec(readText('CHANGELOG.md'))?.[1];

test('every package and every image has the newest version of the changelog', () => {
  const packages = [
    'package.json',
    'test/package.json',
    ...globSync('{packages,services}/*/package.json', { cwd: root }),
  ];
  const deployed = globSync('deploy/**/{*.yaml,*.md,Dockerfile}', { cwd: root });
  const found = [...packages, ...deployed, '.env.example'].flatMap((file) =>
    [
      ...readText(file).matchAll(
        /(?:"version": "|cordon\/\S+:(?:\$\{CORDON_VERSION:-)?|newTag: |CORDON_VERSION=)(\d[\d.]+)/g,
      ),
    ].map(([, given]) => `${file} ${given}`),
  );
  expect(found.length).toBeGreaterThan(25);
  expect(found.filter((one) => !one.endsWith(` ${version}`))).toEqual([]);
});
