import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { BELONGING, readText, ROOT, SECRETS } from './services.ts';

const run = promisify(execFile);

const Generator = z.strictObject({
  name: z.string(),
  literals: z.array(z.string()).default([]),
  envs: z.array(z.string()).default([]),
  files: z.array(z.string()).default([]),
  options: z.strictObject({ disableNameSuffixHash: z.literal(true) }).optional(),
});
const Kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  namespace: z.string(),
  resources: z.array(z.string()),
  images: z.array(z.strictObject({ name: z.string(), newName: z.string(), newTag: z.string() })).default([]),
  labels: z.array(z.unknown()).default([]),
  configMapGenerator: z.array(Generator).default([]),
  secretGenerator: z.array(Generator).default([]),
});

export const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});
export type Manifest = z.infer<typeof Manifest>;

export const KUBERNETES = 'deploy/kubernetes';
export const OVERLAY = `${KUBERNETES}/overlays/example`;

export function readKustomization(folder: string): z.infer<typeof Kustomization> {
  const document: unknown = parse(readText(`${folder}/kustomization.yaml`));
  return Kustomization.parse(document);
}

/** A file of manifests as the cluster gets to see it. */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    const value: unknown = document.toJS();
    return Manifest.parse(value);
  });
}

/**
 * All manifests of a folder, the way kustomize collects and generates them (without the hash in generated names), with
 * values in the secrets of the example.
 */
export function readManifests(folder: string): Manifest[] {
  const { resources, images, configMapGenerator, secretGenerator } = readKustomization(folder);
  const manifests = resources.flatMap((resource) =>
    resource.endsWith('.yaml')
      ? withImages(parseManifests(readText(`${folder}/${resource}`)), images)
      : withImages(readManifests(join(folder, resource)), images),
  );
  const generated = (
    kind: string,
    generators: z.infer<typeof Generator>[],
    encode: (value: string) => string,
  ): Manifest[] =>
    generators.map(({ name, literals, envs, files }) => {
      const lines = [
        ...literals,
        ...envs.map((file) => readText(kind === 'Secret' ? `${folder}/${file}.example` : `${folder}/${file}`)),
      ];
      const data = Object.entries(parseEnv(lines.join('\n'))).map(([key, value]) => [
        key,
        encode((kind === 'Secret' ? SECRETS[key] : value || BELONGING[key]) ?? ''),
      ]);
      const texts = files.map((file) => [basename(file), encode(readText(`${folder}/${file}`))]);
      return { apiVersion: 'v1', kind, metadata: { name }, data: Object.fromEntries([...data, ...texts]) };
    });
  return [
    ...manifests,
    ...generated('ConfigMap', configMapGenerator, String),
    ...generated('Secret', secretGenerator, base64),
  ];
}

/** What `kubectl kustomize` makes of the example, with values in its secrets. */
export async function renderWithKubectl(): Promise<Manifest[]> {
  const folder = await mkdtemp(join(tmpdir(), 'cordon-kustomize-'));
  try {
    await cp(join(ROOT, KUBERNETES), folder, { recursive: true });
    const overlay = join(folder, 'overlays/example');
    const { secretGenerator, configMapGenerator } = readKustomization(OVERLAY);
    const filledIn = async (file: string, from: string, values: Record<string, string>): Promise<void> => {
      const example = await readFile(join(overlay, from), 'utf8');
      const text = example.replaceAll(/^(\w+)=$/gm, (_line, name: string) => `${name}=${values[name]}`);
      await writeFile(join(overlay, file), text);
    };
    for (const file of secretGenerator.flatMap(({ envs }) => envs)) await filledIn(file, `${file}.example`, SECRETS);
    for (const file of configMapGenerator.flatMap(({ envs }) => envs)) await filledIn(file, file, BELONGING);
    const { stdout } = await run('kubectl', ['kustomize', overlay]);
    return parseManifests(stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function withImages(manifests: Manifest[], images: { name: string; newName: string; newTag: string }[]): Manifest[] {
  let text = JSON.stringify(manifests);
  for (const { name, newName, newTag } of images) {
    text = text.replaceAll(
      new RegExp(`"image":"${name}:[^"]*"`, 'g'),
      JSON.stringify({ image: `${newName}:${newTag}` }).slice(1, -1),
    );
  }
  return z.array(Manifest).parse(JSON.parse(text));
}

const base64 = (value: string): string => Buffer.from(value).toString('base64');
