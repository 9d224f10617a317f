import { basename, dirname } from 'node:path';
import { z } from 'zod';
import type { Manifest } from './read-manifests.ts';
import { faultsOfEnvironment, type Service, SERVICES } from './services.ts';

const Labels = z.record(z.string(), z.string());
type Labels = z.infer<typeof Labels>;
const PortRef = z.union([z.string(), z.number()]);
const Probe = z.object({ httpGet: z.object({ path: z.string(), port: PortRef }) });

const Container = z.object({
  name: z.string(),
  image: z.string().regex(/:\d+\.\d+\.\d+$/, 'the image needs an exact version'),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: Probe,
  livenessProbe: Probe,
  readinessProbe: Probe,
  resources: z.object({
    requests: z.object({ cpu: z.string(), memory: z.string() }),
    limits: z.object({ memory: z.string() }),
  }),
  securityContext: z.object({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
  }),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.literal(true) })).default([]),
});
type Container = z.infer<typeof Container>;

const Volume = z.union([
  z.object({ name: z.string(), secret: z.object({ secretName: z.string() }) }),
  z.object({ name: z.string(), configMap: z.object({ name: z.string() }) }),
]);

/** A deployment of ours: what every one of them must say. */
const Deployment = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    replicas: z.number(),
    selector: z.object({ matchLabels: Labels }),
    template: z.object({
      metadata: z.object({ labels: Labels }),
      spec: z.object({
        serviceAccountName: z.string(),
        automountServiceAccountToken: z.literal(false),
        terminationGracePeriodSeconds: z.number().min(30),
        securityContext: z.object({
          runAsNonRoot: z.literal(true),
          runAsUser: z.number().positive(),
          seccompProfile: z.object({ type: z.literal('RuntimeDefault') }),
        }),
        containers: z.tuple([Container]),
        volumes: z.array(Volume).default([]),
      }),
    }),
  }),
});
type Deployment = z.infer<typeof Deployment>;

const ServiceManifest = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ selector: Labels, ports: z.array(z.object({ name: z.string(), targetPort: PortRef })) }),
});
const Ingress = z.object({
  spec: z.object({
    tls: z.array(z.object({ hosts: z.array(z.string()) })).min(1),
    rules: z.array(
      z.object({
        host: z.string(),
        http: z.object({
          paths: z.array(
            z.object({
              backend: z.object({ service: z.object({ name: z.string(), port: z.object({ name: z.string() }) }) }),
            }),
          ),
        }),
      }),
    ),
  }),
});
const Budget = z.object({ spec: z.object({ selector: z.object({ matchLabels: Labels }) }) });
const Rule = z.object({ ports: z.array(z.object({ port: z.number(), endPort: z.number().optional() })).default([]) });
const Policy = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    podSelector: z.object({ matchLabels: Labels.default({}) }),
    ingress: z.array(Rule).default([]),
    egress: z.array(Rule).default([]),
  }),
});
const Data = z.object({ metadata: z.object({ name: z.string() }), data: z.record(z.string(), z.string()).default({}) });

/** What does not fit together, in sentences; empty when all does. */
export function faultsOf(manifests: Manifest[]): string[] {
  const all = <Schema extends z.ZodType>(kind: string, schema: Schema): z.output<Schema>[] =>
    manifests.filter((manifest) => manifest.kind === kind).map((manifest) => readAs(schema, manifest));
  const deployments = all('Deployment', Deployment);
  const services = all('Service', ServiceManifest);
  const policies = all('NetworkPolicy', Policy);
  const budgets = all('PodDisruptionBudget', Budget);
  const parts = {
    accounts: manifests.filter(({ kind }) => kind === 'ServiceAccount').map(({ metadata }) => metadata.name),
    configMaps: new Map(all('ConfigMap', Data).map(({ metadata, data }) => [metadata.name, data])),
    secrets: new Map(all('Secret', Data).map(({ metadata, data }) => [metadata.name, data])),
  };

  return [
    ...SERVICES.flatMap((service) => {
      const deployment = deployments.find(({ metadata }) => metadata.name === service.name);
      if (!deployment) return [`${service.name}: no Deployment`];
      const { labels } = deployment.spec.template.metadata;
      const selecting = <Selector>(selectors: Selector[], labelsOf: (selector: Selector) => Labels) =>
        selectors.filter((selector) => matches(labelsOf(selector), labels));
      return [
        ...faultsOfDeployment(service, deployment, parts),
        ...unless(
          selecting(services, ({ spec }) => spec.selector)
            .map(({ metadata }) => metadata.name)
            .join() === service.name,
          `${service.name}: is not the one that its Service selects`,
        ),
        ...unless(
          selecting(budgets, ({ spec }) => spec.selector.matchLabels).length === (deployment.spec.replicas > 1 ? 1 : 0),
          `${service.name}: a PodDisruptionBudget is for more than one replica, and only then`,
        ),
        ...faultsOfNetwork(
          service,
          selecting(policies, ({ spec }) => spec.podSelector.matchLabels),
        ),
      ];
    }),
    ...services.flatMap(({ metadata, spec }) => {
      const ports =
        deployments.find(({ spec: { template } }) => matches(spec.selector, template.metadata.labels))?.spec.template
          .spec.containers[0].ports ?? [];
      return spec.ports
        .filter(({ targetPort }) => !hasPort(ports, targetPort))
        .map(({ name }) => `Service ${metadata.name}: nobody listens behind ${name}`);
    }),
    ...all('Ingress', Ingress).flatMap(({ spec: { rules, tls } }) => [
      ...rules
        .filter(({ host }) => !tls.some(({ hosts }) => hosts.includes(host)))
        .map(({ host }) => `Ingress: ${host} has no TLS`),
      ...rules
        .flatMap(({ http }) => http.paths.map(({ backend }) => backend.service))
        .filter(
          ({ name, port }) =>
            !services.some(
              ({ metadata, spec }) => metadata.name === name && spec.ports.some((own) => own.name === port.name),
            ),
        )
        .map(({ name, port }) => `Ingress: no Service ${name} with a port ${port.name}`),
    ]),
    ...unused(deployments, parts),
  ];
}

type Parts = {
  accounts: string[];
  configMaps: Map<string, Record<string, string>>;
  secrets: Map<string, Record<string, string>>;
};

function faultsOfDeployment(
  service: Service,
  { spec }: Deployment,
  { accounts, configMaps, secrets }: Parts,
): string[] {
  const pod = spec.template.spec;
  const [container] = pod.containers;
  const say = (text: string): string => `${service.name}: ${text}`;
  const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(
    ({ httpGet }) => httpGet,
  );
  const configs = container.envFrom.map(({ configMapRef: { name } }) => ({ name, data: configMaps.get(name) }));
  const mounted = container.volumeMounts.map((mount) => {
    const volume = pod.volumes.find(({ name }) => name === mount.name);
    if (volume && 'configMap' in volume) return { ...mount, kind: 'ConfigMap', from: volume.configMap.name };
    return { ...mount, kind: 'Secret', from: volume?.secret.secretName ?? '' };
  });
  const dataOf = ({ kind, from }: { kind: string; from: string }) =>
    (kind === 'Secret' ? secrets : configMaps).get(from);
  const mounts = mounted.filter(({ kind }) => kind === 'Secret').map((mount) => ({ ...mount, data: dataOf(mount) }));

  // A file of a mounted secret becomes its content.
  const given: Record<string, string> = Object.assign({}, ...configs.map(({ data }) => data ?? {}));
  for (const { name, value } of container.env) given[name] = value;
  const read: string[] = [];
  const env = Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const content = mounts.find(({ mountPath }) => mountPath === dirname(value))?.data?.[basename(value)];
      if (content === undefined) return [name, value];
      read.push(basename(value));
      return [name.replace(/_FILE$/, ''), Buffer.from(content, 'base64').toString()];
    }),
  );

  return [
    ...unless(matches(spec.selector.matchLabels, spec.template.metadata.labels), say('does not select its own pods')),
    ...unless(accounts.includes(pod.serviceAccountName), say(`no ServiceAccount ${pod.serviceAccountName}`)),
    ...unless(
      container.image.includes(`cordon/${service.name}:`),
      say(`runs the image of another: ${container.image}`),
    ),
    ...unless(hasPort(container.ports, service.adminPort), say(`its admin port is ${service.adminPort}`)),
    ...unless(service.port === undefined || hasPort(container.ports, service.port), say(`serves on ${service.port}`)),
    ...probes
      .filter(({ port }) => !hasPort(container.ports, port))
      .map(({ port }) => say(`a probe asks on ${port}, which is no port`)),
    ...unless(
      probes.map(({ path }) => path).join() === '/livez,/livez,/readyz',
      say('its probes ask for the wrong things'),
    ),
    ...configs.filter(({ data }) => !data).map(({ name }) => say(`no ConfigMap ${name}`)),
    ...mounted
      .filter((mount) => !dataOf(mount))
      .map(({ name, kind, from }) => say(`no ${kind} ${from} for the volume ${name}`)),
    ...Object.values(given)
      .filter((value) => mounted.some(({ mountPath }) => mountPath === dirname(value)))
      .filter(
        (value) => !mounted.some((mount) => mount.mountPath === dirname(value) && dataOf(mount)?.[basename(value)]),
      )
      .map((value) => say(`${value} is not mounted`)),
    ...mounts
      .flatMap(({ data }) => Object.keys(data ?? {}))
      .filter((key) => !read.includes(key))
      .map((key) => say(`does not read its secret ${key}`)),
    ...faultsOfEnvironment(service, env),
  ];
}

/** Only what a service serves is let in, and what it needs is let out. */
function faultsOfNetwork(service: Service, policies: z.infer<typeof Policy>[]): string[] {
  const ingress = policies.flatMap(({ spec }) => spec.ingress);
  const egress = policies.flatMap(({ spec }) => spec.egress);
  const open = ingress
    .flatMap(({ ports }) => ports)
    .filter(({ endPort }) => endPort === undefined)
    .map(({ port }) => port);
  return [
    ...unless(
      policies.some(({ spec }) => Object.keys(spec.podSelector.matchLabels).length === 0),
      `${service.name}: nothing is denied by default`,
    ),
    ...unless(covers(ingress, service.adminPort), `${service.name}: monitoring cannot reach its admin port`),
    ...unless(open.join() === (service.port ?? []).toString(), `${service.name}: lets in ${open.join()}`),
    ...unless(covers(egress, 53) && covers(egress, 4222), `${service.name}: cannot reach DNS and the broker`),
    ...unless(covers(egress, 443), `${service.name}: cannot reach what it needs outside`),
  ];
}

function covers(rules: z.infer<typeof Rule>[], port: number): boolean {
  return rules.some(({ ports }) => ports.some(({ port: first, endPort = first }) => first <= port && port <= endPort));
}

/** Settings and secrets that no service is given, and secrets that more than one is. */
function unused(deployments: Deployment[], { configMaps, secrets }: Parts): string[] {
  const specs = deployments.map(({ spec }) => spec.template.spec);
  const configs = specs.flatMap(({ containers }) => containers[0].envFrom.map(({ configMapRef }) => configMapRef.name));
  const volumes = specs.flatMap((spec) => spec.volumes);
  const mounted = volumes.flatMap((volume) => ('secret' in volume ? [volume.secret.secretName] : []));
  const files = volumes.flatMap((volume) => ('configMap' in volume ? [volume.configMap.name] : []));
  return [
    ...[...configMaps.keys()]
      .filter((name) => !configs.includes(name) && !files.includes(name))
      .map((name) => `ConfigMap ${name}: nobody reads it`),
    ...[...secrets.keys()]
      .filter((name) => mounted.filter((one) => one === name).length !== 1)
      .map((name) => `Secret ${name}: is for one service`),
  ];
}

function readAs<Schema extends z.ZodType>(schema: Schema, manifest: Manifest): z.output<Schema> {
  const result = schema.safeParse(manifest);
  if (!result.success) throw new Error(`${manifest.kind} ${manifest.metadata.name}:\n${z.prettifyError(result.error)}`);
  return result.data;
}

function hasPort(ports: Container['ports'], wanted: string | number): boolean {
  return ports.some(({ name, containerPort }) => name === wanted || containerPort === wanted);
}

function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

function unless(holds: boolean, fault: string): string[] {
  return holds ? [] : [fault];
}
