import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { type Bus, connectBus, CONSUMERS, type Consumption } from '@cordon/bus';
import { type Endpoint, hasToBeSigned, signEvent } from '@cordon/contracts';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import {
  ask,
  type Asking,
  decide,
  type DecideCommand,
  type Decision,
  type Incident,
  requestRelease,
} from '@cordon/incident';
import { ALICE, anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { limaCharlie } from '@cordon/limacharlie/client';
import { loadPolicy, type Machine, type Policy, protectedHosts } from '@cordon/policy';
import { type Broker, type LimaCharlieSandbox, startBroker, startLimaCharlie } from '@cordon/sandbox';
import { createLogger, type Logger } from '@cordon/service';
import { createBlastRadius } from './blast-radius.ts';
import { watchForDrift } from './drift.ts';
import { executeOnDecision } from './execute.ts';
import { watchUntilConfirmed } from './watch.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');

export type ExecutorOptions = {
  protect?: string[];
  dryRun?: boolean;
  decisionMaxAgeMs?: number;
  confirmTimeoutMs?: number;
  apiKey?: string;
  tenantId?: string;
  policy?: Partial<Policy>;
};
type LabOptions = { hosts?: string[]; isolationLagMs?: number; plat?: number; arch?: number; log?: Logger };

/** For tests: a broker, the stand-in for LimaCharlie with a machine per host, and the executor's own handlers when started. */
export class Lab implements AsyncDisposable {
  readonly oid: string;
  readonly broker: Broker;
  readonly bus: Bus;
  readonly cloud: LimaCharlieSandbox;
  /** One per host, in order. */
  readonly endpoints: Endpoint[];
  readonly #log: Logger;
  #running: Consumption[] = [];

  private constructor(broker: Broker, bus: Bus, cloud: LimaCharlieSandbox, log: Logger) {
    this.broker = broker;
    this.bus = bus;
    this.cloud = cloud;
    this.oid = cloud.oid;
    this.endpoints = cloud.sensors().map(({ sid }) => ({ tenantId: cloud.oid, endpointId: sid }));
    this.#log = log;
  }

  static async start({
    hosts = ['win-srv-07'],
    isolationLagMs = 50,
    log = createLogger('test', 'silent'),
    ...sensor
  }: LabOptions = {}): Promise<Lab> {
    const broker = await startBroker();
    const bus = await connectBus({ url: broker.url, name: 'test', log });
    const sensors = hosts.map((hostname) => ({ sid: randomUUID(), hostname, ...sensor }));
    const cloud = await startLimaCharlie({ oid: randomUUID(), apiKey: 'key', isolationLagMs, sensors });
    return new Lab(broker, bus, cloud, log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopExecutor();
    await this.bus.close();
    await this.cloud.close();
    await this.broker[Symbol.asyncDispose]();
  }

  /** The first machine. */
  get endpoint(): Endpoint {
    const [first] = this.endpoints;
    if (!first) throw new Error('a lab needs a machine');
    return first;
  }

  client(apiKey = 'key', attempts = 1) {
    const { apiUrl, jwtUrl } = this.cloud;
    return limaCharlie({ apiUrl, jwtUrl, oid: this.oid, apiKey, log: this.#log, attempts, timeoutMs: 1000 });
  }

  async startExecutor({
    protect = [],
    dryRun = false,
    decisionMaxAgeMs = 60_000,
    confirmTimeoutMs = 60_000,
    apiKey,
    tenantId = this.oid,
    policy: overrides = {},
  }: ExecutorOptions = {}): Promise<void> {
    const { bus } = this;
    const edr = this.client(apiKey);
    const policy = { ...loadPolicy(undefined), ...overrides };
    const isProtected = protectedHosts(protect);
    const guards = {
      authority: () => ({ keys: [publicKey], policy, tenantId, maxAgeMs: decisionMaxAgeMs }),
      limits: { protectedBy: ({ hostname }: Machine) => (isProtected(hostname) ? 'the test' : undefined), dryRun },
      blastRadius: createBlastRadius(
        await bus.bucket('guards'),
        () => policy.blast_radius,
        async () => undefined,
      ),
    };
    const drift = watchForDrift(bus.log, edr, 20);
    const pace = { confirmPollMs: 20, offlinePollMs: 20, confirmTimeoutMs };
    const confirmation = watchUntilConfirmed(bus.log, edr, pace);
    this.#running = [
      await bus.consumeEvents(CONSUMERS.execute, executeOnDecision(bus.log, edr, guards)),
      await bus.consumeEvents(CONSUMERS.watch, (event, context) =>
        event.type === 'isolation.confirmed' ? drift(event, context) : confirmation(event, context),
      ),
    ];
  }

  async stopExecutor(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((consumption) => consumption.stop()));
  }

  async openIncident({
    hostname = 'win-srv-07',
    endpoint = this.endpoint,
    asking = {},
  }: { hostname?: string; endpoint?: Endpoint; asking?: Partial<Asking> } = {}): Promise<Incident> {
    await this.bus.log.append(aDetectionRaised(aDetection({ endpoint, hostname })));
    await this.bus.log.transact(endpoint, (state) => signed(ask(state, () => anAsking(asking), new Date())));
    return this.incident(endpoint);
  }

  async answer(
    outcome: 'isolate' | 'leave',
    endpoint = this.endpoint,
    more: Partial<DecideCommand> = {},
  ): Promise<void> {
    await this.bus.log.transact(endpoint, (state) =>
      signed(decide(state, anAnswer(state.incident, { outcome, ...more }), someTerms(), new Date())),
    );
  }

  async release(key?: KeyObject): Promise<void> {
    const { id: incidentId } = await this.incident();
    const by = { channel: 'page' as const, person: ALICE, reason: 'clean' };
    const command = { incidentId, ...by, policyVersion: 'x', validMs: 60_000 };
    await this.bus.log.transact(this.endpoint, (state) => signed(requestRelease(state, command, new Date()), key));
  }

  async incident(endpoint = this.endpoint): Promise<Incident> {
    const found = (await this.bus.log.load(endpoint)).state.incident;
    if (!found) throw new Error('no incident');
    return found;
  }

  readonly status = async () => (await this.incident()).status;
  readonly statusOf = async (endpoint: Endpoint) => (await this.incident(endpoint)).status;
  readonly moments = async () => (await this.incident()).history.map((moment) => moment.type);

  isolations(method: 'POST' | 'DELETE' = 'POST'): string[] {
    return this.cloud.calls.isolation.filter((call) => call.method === method).map(({ sid }) => sid);
  }
}

/** As approval does. */
export function signed(decision: Decision, key: KeyObject = privateKey): Decision {
  if ('refused' in decision) return decision;
  return {
    events: decision.events.map((event) => (hasToBeSigned(event) ? signEvent(event, key) : event)),
  };
}
