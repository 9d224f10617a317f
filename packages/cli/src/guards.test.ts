import { generateKeyPairSync } from 'node:crypto';
import { CONSUMERS, PermanentError } from '@cordon/bus';
import type { Endpoint, Terms } from '@cordon/contracts';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { ask, decide, type Decision } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { type ExecutorOptions, Lab, signed } from '@cordon/isolation-executor/src/lab.ts';
import { parsePolicy } from '@cordon/policy';
import { expect, test } from 'vitest';
import { cordon } from './lab.ts';

/** Every path by which a decision reaches the executor, against every guard. */

const PATHS = ['page', 'slack', 'auto rule', 'dlq redrive', 'replay --for-real'] as const;
type Path = (typeof PATHS)[number];

const RULE = 'auto_isolate: [{ name: a rule, rules: [general.cordon-lazagne], tiers: [all], severity: high }]';
const policy = parsePolicy(`tiers: [{ name: all }]\n${RULE}`);
const strict = parsePolicy('tiers: [{ name: all, quorum: 2 }]');
const narrow = parsePolicy(`tiers: [{ name: all }]\nblast_radius: { isolations: 1 }\n${RULE}`);
const stranger = generateKeyPairSync('ed25519').privateKey;

type Guard = {
  guard: string;
  status: string;
  code: string | ((path: Path) => string);
  executor?: ExecutorOptions;
  terms?: Partial<Terms>;
  forge?: (decision: Decision) => Decision;
  /** Somebody is isolated already. */
  oneBefore?: true;
};
const unsigned = (decision: Decision): Decision => decision;
const altered = (decision: Decision): Decision => {
  const whole = signed(decision);
  if ('refused' in whole) return whole;
  return {
    events: whole.events.map((event) =>
      event.type === 'approval.decided' ? { ...event, data: { ...event.data, reason: 'another' } } : event,
    ),
  };
};
const GUARDS: Guard[] = [
  { guard: 'a protected host', status: 'refused', code: 'protected_host', executor: { protect: ['guarded-*'] } },
  { guard: 'a stale decision', status: 'refused', code: 'stale_decision', terms: { decisionValidMs: 1 } },
  { guard: 'no signature', status: 'refused', code: 'not_authentic', forge: unsigned },
  {
    guard: "a stranger's signature",
    status: 'refused',
    code: 'not_authentic',
    forge: (decision) => signed(decision, stranger),
  },
  { guard: 'an altered decision', status: 'refused', code: 'not_authentic', forge: altered },
  { guard: 'another organisation', status: 'refused', code: 'wrong_target', executor: { tenantId: 'another' } },
  {
    guard: 'too few persons, or a rule that is not in force',
    status: 'refused',
    code: (path) => (path === 'auto rule' ? 'rule_not_allowed' : 'quorum'),
    executor: { policy: strict },
    terms: { policyVersion: strict.version },
  },
  { guard: 'the blast radius', status: 'held', code: 'blast_radius', executor: { policy: narrow }, oneBefore: true },
  { guard: 'a dry run', status: 'simulated', code: 'dry_run', executor: { dryRun: true } },
];

test('without a guard that objects, every path isolates', async () => {
  await using walk = await walkAll({});
  for (const path of PATHS) await expect.poll(() => walk.lab.statusOf(walk.of(path))).toBe('contained');
  expect(walk.lab.isolations().toSorted()).toEqual(PATHS.map((path) => walk.of(path).endpointId).toSorted());
});

test.each(GUARDS)('$guard stops the page, Slack, a rule, a redrive and a replay', async ({ status, code, ...rest }) => {
  await using walk = await walkAll(rest);
  for (const path of PATHS) {
    await expect.poll(async () => [path, await walk.lab.statusOf(walk.of(path))]).toEqual([path, status]);
    const { problem } = await walk.lab.incident(walk.of(path));
    expect([path, problem?.code]).toEqual([path, typeof code === 'string' ? code : code(path)]);
  }
  const walked = PATHS.map((path) => walk.of(path).endpointId);
  expect(walk.lab.isolations().filter((sid) => walked.includes(sid))).toEqual([]);
});

/** Sends one decision down every path, each about a machine of its own. */
async function walkAll({ executor, terms, forge = signed, oneBefore }: Partial<Guard>) {
  const lab = await Lab.start({ hosts: [...PATHS.map((_, index) => `guarded-${index}`), 'before'] });
  const of = (path: Path | 'before'): Endpoint => {
    const endpoint = lab.endpoints[path === 'before' ? PATHS.length : PATHS.indexOf(path)];
    if (!endpoint) throw new Error(`no machine for ${path}`);
    return endpoint;
  };
  const settled = someTerms({ slackDecides: true, ...terms });

  const untilContained = (endpoint: Endpoint) => expect.poll(() => lab.statusOf(endpoint)).toBe('contained');

  /** What approval appends when somebody decides, or when its policy does. */
  async function decideBy(path: Path | 'before', how = forge): Promise<void> {
    const endpoint = of(path);
    const hostname = path === 'before' ? 'before' : `guarded-${PATHS.indexOf(path)}`;
    await lab.bus.log.append(aDetectionRaised(aDetection({ endpoint, hostname })));
    const secondAgo = new Date(Date.now() - 1000); // whatever is valid for a millisecond no longer is
    const asking = anAsking({ terms: settled, ...(path === 'auto rule' && { rule: 'a rule', votesNeeded: 0 }) });
    await lab.bus.log.transact(endpoint, (state) => how(ask(state, () => asking, secondAgo)));
    if (path === 'auto rule') return;
    const channel = path === 'slack' ? 'slack' : 'page';
    await lab.bus.log.transact(endpoint, (state) =>
      how(decide(state, anAnswer(state.incident, { channel }), settled, secondAgo)),
    );
  }

  // An executor of yesterday that gave one decision up and lost another.
  const handled = new Set<string>();
  const yesterday = await lab.bus.consumeEvents(CONSUMERS.execute, async ({ endpointId }) => {
    handled.add(endpointId);
    if (endpointId === of('dlq redrive').endpointId) throw new PermanentError('a bug of yesterday');
  });
  await decideBy('dlq redrive');
  await decideBy('replay --for-real');
  await expect.poll(() => handled.size).toBe(2);
  await yesterday.stop();

  await lab.startExecutor({ policy, ...executor });
  if (oneBefore) {
    await decideBy('before', signed);
    await untilContained(of('before'));
  }
  for (const path of ['page', 'slack', 'auto rule'] as const) await decideBy(path);
  const env = { NATS_URL: lab.broker.url };
  const { bus } = lab;
  await bus.log.keep(await bus.log.load(of('replay --for-real')));
  const { id } = await lab.incident(of('replay --for-real'));
  const commands = [
    ['dlq', 'redrive', '--all', '--yes'],
    ['replay', '--consumer', 'executor-execute', '--incident', id, '--for-real', '--yes'],
  ];
  for (const argv of commands) expect(await cordon(env, argv)).toMatchObject({ code: 0, err: '' });
  return { lab, of, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}
