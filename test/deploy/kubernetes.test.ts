import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parsePolicy } from '@cordon/policy';
import { BROKER_ENV } from '@cordon/sandbox';
import { Deployment } from 'kubernetes-models/apps/v1';
import { Ingress, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Namespace, Secret, Service, ServiceAccount } from 'kubernetes-models/v1';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { faultsOf } from './check-manifests.ts';
import {
  KUBERNETES,
  Manifest,
  OVERLAY,
  readKustomization,
  readManifests,
  renderWithKubectl,
} from './read-manifests.ts';
import { readText, ROOT } from './services.ts';

const run = promisify(execFile);
const noKubectl = await run('kubectl', ['kustomize', '--help'], { timeout: 20_000 }).then(
  () => undefined,
  () => 'no kubectl',
);
const manifests = readManifests(OVERLAY);

const MODELS: Record<string, new (data: never) => { validate(): void }> = {
  Namespace,
  ServiceAccount,
  ConfigMap,
  Secret,
  Service,
  Deployment,
  Ingress,
  NetworkPolicy,
  PodDisruptionBudget,
};

describe('the manifests', () => {
  test('have values that Kubernetes allows', () => {
    expect(manifests.flatMap(faultsOfValues)).toEqual([]);
    expect(
      faultsOfValues({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec: { ports: [{ port: 'y' }] } }),
    ).toHaveLength(1);
  });

  test('have no field that Kubernetes does not know', async () => {
    expect(await faultsOfTypes(manifests)).toBe('');
    const misspelled = JSON.stringify(manifests).replaceAll('readOnlyRootFilesystem', 'readOnlyRootFileSystem');
    expect(await faultsOfTypes(z.array(Manifest).parse(JSON.parse(misspelled)))).toContain(
      '"readOnlyRootFileSystem"\' does not exist',
    );
  }, 60_000);

  test('fit together, and give every service what it needs', () => {
    expect(faultsOf(manifests)).toEqual([]);
  });

  test.skipIf(noKubectl)(
    `fit together as kubectl renders them${noKubectl ? ` (skipped: ${noKubectl})` : ''}`,
    async () => {
      const rendered = await renderWithKubectl();
      expect(rendered.map(({ kind }) => kind).sort()).toEqual(manifests.map(({ kind }) => kind).sort());
      expect(faultsOf(rendered)).toEqual([]);
    },
  );

  test('are all listed in a kustomization, and all that is listed exists', async () => {
    for (const folder of [`${KUBERNETES}/base`, OVERLAY]) {
      const { resources, configMapGenerator, secretGenerator } = readKustomization(folder);
      const listed = [
        ...resources.filter((resource) => resource.endsWith('.yaml')),
        ...configMapGenerator.flatMap(({ envs, files }) => [...envs, ...files]),
        ...secretGenerator.flatMap(({ envs }) => envs.map((file) => `${file}.example`)),
      ];
      const files = await readdir(join(ROOT, folder), { recursive: true });
      const present = files.filter(
        (file) => /\.(yaml|env\.example)$|config\/.*\.env$/.test(file) && file !== 'kustomization.yaml',
      );
      expect(present.sort()).toEqual(listed.sort());
    }
  });

  test('have a policy that is read where it is mounted, whenever it changes', () => {
    const text = readText(`${OVERLAY}/config/policy.yaml`);
    expect(parsePolicy(text, 'policy.yaml').tiers.length).toBeGreaterThan(0);
    const { configMapGenerator } = readKustomization(OVERLAY);
    const following = configMapGenerator.filter(({ options }) => options?.disableNameSuffixHash);
    expect(following).toMatchObject([{ name: 'policy', files: ['config/policy.yaml'] }]);
  });

  test('hold no secret', async () => {
    for (const file of await readdir(join(ROOT, OVERLAY, 'secrets'))) {
      if (!file.endsWith('.example')) continue;
      expect(readText(`${OVERLAY}/secrets/${file}`)).not.toMatch(/^\w+=.+/m);
    }
    expect(readText(`${OVERLAY}/.gitignore`)).toContain('secrets/*\n');
  });
});

test('the NATS cluster has the version and the durability of the compose file, and is where services look for it', () => {
  const Values = z.object({
    container: z.object({ image: z.object({ tag: z.string() }), env: z.record(z.string(), z.string()) }),
    config: z.object({
      cluster: z.object({ enabled: z.literal(true), replicas: z.number() }),
      jetstream: z.object({ merge: z.object({ sync_interval: z.literal('always') }) }),
      merge: z.object({ max_payload: z.string() }),
    }),
    podDisruptionBudget: z.object({ enabled: z.literal(true) }),
    promExporter: z.object({ enabled: z.literal(true) }),
  });
  const document: unknown = parse(readText(`${KUBERNETES}/nats-values.yaml`));
  const { container, config } = Values.parse(document);
  const compose = z
    .object({ services: z.object({ nats: z.object({ image: z.string() }) }) })
    .parse(parse(readText('deploy/compose.yaml')));
  expect(compose.services.nats.image).toBe(`nats:${container.image.tag}`);
  expect(container.env).toEqual(BROKER_ENV);
  const maxPayload = /max_payload: (\S+)/.exec(readText('deploy/nats/nats.conf'))?.[1];
  expect(config.merge.max_payload).toBe(`<< ${maxPayload} >>`);

  const common = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'cordon');
  expect(common).toMatchObject({
    data: { NATS_REPLICAS: String(config.cluster.replicas), NATS_URL: 'nats://nats:4222' },
  });
  expect(readText('deploy/README.md')).toMatch(/helm upgrade --install nats nats\/nats .*\n?.*--namespace cordon/);
});

/** What the schema that the Kubernetes API publishes says. It lets unknown fields pass. */
function faultsOfValues(manifest: Manifest): string[] {
  const name = `${manifest.kind} ${manifest.metadata.name}`;
  const Model = MODELS[manifest.kind];
  if (!Model) return [`${name}: no schema`];
  const model: unknown = Reflect.construct(Model, [manifest]);
  try {
    if (model instanceof Model) model.validate();
    return [];
  } catch (error) {
    return [`${name}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** What the compiler says where each manifest must have exactly the fields of its kind. */
async function faultsOfTypes(all: Manifest[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cordon-types-'));
  try {
    const models = join(ROOT, 'test/node_modules/kubernetes-models');
    const lines = all.map((manifest, index) => {
      const type = `import('kubernetes-models/${manifest.apiVersion}/${manifest.kind}').I${manifest.kind}`;
      return `export const manifest${index}: ${type} = ${JSON.stringify(manifest)};`;
    });
    await writeFile(join(folder, 'manifests.ts'), lines.join('\n'));
    const compilerOptions = {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      module: 'esnext',
      moduleResolution: 'bundler',
      types: [],
    };
    const paths = { 'kubernetes-models/*': [`${models}/*`] };
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...compilerOptions, paths }, files: ['manifests.ts'] }),
    );
    return await run(join(ROOT, 'node_modules/.bin/tsc'), ['--project', folder, '--pretty', 'false']).then(
      () => '',
      (error: unknown) => (error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
