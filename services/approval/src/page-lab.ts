import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { type Bus, connectBus } from '@cordon/bus';
import {
  type CordonEvent,
  type Detection,
  type Endpoint,
  IsolationConfirmed,
  IsolationRequested,
  sha256,
} from '@cordon/contracts';
import { aDetection, aDetectionRaised } from '@cordon/contracts/builders';
import { ask, type Asking, decide, type Incident, onTime } from '@cordon/incident';
import { anAnswer, anAsking, someTerms } from '@cordon/incident/builders';
import { loadPolicy } from '@cordon/policy';
import { type Broker, freePort, startBroker } from '@cordon/sandbox';
import { createLogger, loadConfig } from '@cordon/service';
import { Signer } from '@fastify/cookie';
import type { FastifyInstance, Session } from 'fastify';
import { Counter, Registry } from 'prom-client';
import { Person } from '../../../test/e2e/person.ts';
import { believedKeys, settings, slackOf } from './config.ts';
import { IncidentBoard } from './incident-board.ts';
import { createPasskeys } from './passkeys.ts';
import { policyInForce } from './policy.ts';
import { createServer } from './server.ts';
import { findSession, SESSION_COOKIE, type SignedIn } from './session-store.ts';
import { signedLog } from './signed-log.ts';
import { slackApi } from './slack-api.ts';
import { answerSlack } from './slack-decisions.ts';

export const SECRET = 'session-secret-of-the-tests-0123456789';
export const CLIENT_SECRET = 'client-secret-of-the-tests';
export const APPROVERS = 'cordon-approvers';
/** From one address in a minute: everybody in these tests has the same. */
export const SIGN_INS = 60;
export const TERMS = someTerms({ deciders: [APPROVERS] });
const EXPIRY_MS = 30 * 60_000;
export const { publicKey, privateKey } = generateKeyPairSync('ed25519');
export const SIGNING_KEY = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** The pages on a real broker, with people who are signed in already. */
export interface Lab extends AsyncDisposable {
  readonly url: string;
  readonly app: FastifyInstance;
  readonly bus: Bus;
  readonly broker: Broker;
  readonly board: IncidentBoard;
  /** All that was logged. */
  output(): string;
  /** An incident that the team was asked about. */
  asked(about?: Partial<Asking> & { detection?: Detection; expiryMs?: number }): Promise<Incident>;
  /** An incident whose machine is isolated. */
  contained(): Promise<Incident>;
  append(...events: CordonEvent[]): Promise<void>;
  expire(incident: Incident): Promise<void>;
  /** The incident as the log has it now. */
  now(endpoint: Endpoint): Promise<Incident>;
  /** How often its question was decided, by the log. */
  decisions(incident: Incident): Promise<number>;
  signedIn(about?: Partial<SignedIn> & { name?: string; idleMs?: number }): Promise<Person>;
  /** Changes what is kept of a person's session. */
  change(person: Person, about: Partial<SignedIn> & { idleMs?: number }): Promise<void>;
  stranger(): Person;
}

export async function startLab(env: Record<string, string> = {}, port?: number): Promise<Lab> {
  const broker = await startBroker();
  const lines: string[] = [];
  const log = createLogger('approval', 'trace', { write: (line) => void lines.push(line) });
  const bus = await connectBus({ url: broker.url, name: 'approval', log });
  const sessions = await bus.bucket('sessions');
  const listenPort = port ?? (await freePort());
  const url = `http://127.0.0.1:${listenPort}`;
  const config = loadConfig(settings, {
    PUBLIC_URL: url,
    OIDC_ISSUER: 'http://127.0.0.1:9',
    OIDC_CLIENT_ID: 'cordon',
    OIDC_CLIENT_SECRET: CLIENT_SECRET,
    OIDC_APPROVER_GROUP: APPROVERS,
    OIDC_VIEWER_GROUP: 'cordon-viewers',
    SESSION_SECRET: SECRET,
    SIGN_INS_PER_MINUTE: String(SIGN_INS),
    DECISION_SIGNING_KEY: SIGNING_KEY,
    ...env,
  });
  const board = new IncidentBoard();
  const watch = await bus.log.watchIncidents((incident) => board.update(incident));
  const decided = new Counter({ name: 'n', help: 'n', labelNames: ['outcome'], registers: [new Registry()] });
  const incidents = signedLog(bus.log, config.DECISION_SIGNING_KEY, believedKeys(config));
  const loaded = loadPolicy(config.POLICY_FILE);
  const policy = policyInForce(
    () => loaded,
    { approverGroup: APPROVERS, expiryMs: EXPIRY_MS, quietMs: 60 * 60_000, mail: [] },
    config.OIDC_ISSUER,
  );
  const shared = { config, incidents, policy, log, decisions: decided };
  const slack = slackOf(config);
  const answer = slack && answerSlack({ ...shared, slack: slackApi(slack) });
  const signingSecret = slack?.signingSecret;
  const app = await createServer({
    ...shared,
    board,
    sessions,
    passkeys: createPasskeys(await bus.bucket('passkeys'), url),
    ...(answer && signingSecret !== undefined && { slack: { signingSecret, answer } }),
  });
  await app.listen({ host: '127.0.0.1', port: listenPort });

  const keep = async (endpoint: Endpoint): Promise<Incident> => {
    const view = await bus.log.load(endpoint);
    await bus.log.keep(view);
    if (!view.state.incident) throw new Error('no incident');
    return view.state.incident;
  };
  const asked: Lab['asked'] = async ({ detection = aDetection(), expiryMs = EXPIRY_MS, ...about } = {}) => {
    const raised = aDetectionRaised(detection);
    const { seq } = await bus.log.append(raised);
    await incidents.transact(
      raised,
      (state) => ask(state, () => anAsking({ terms: TERMS, expiryMs, ...about }), new Date()),
      seq,
    );
    return keep(raised);
  };

  const keepSession = async (
    id: string,
    kept: Pick<Session, 'signedIn' | 'pendingChoice'>,
    idleMs = 15 * 60_000,
  ): Promise<void> => {
    const cookie = { originalMaxAge: 15 * 60_000, expires: new Date(Date.now() + idleMs) };
    await sessions.put(sha256(id), JSON.stringify({ ...kept, cookie }));
  };

  return {
    url,
    app,
    bus,
    broker,
    board,
    output: () => lines.join(''),
    asked,
    now: keep,
    stranger: () => new Person(url),

    async contained() {
      const incident = await asked();
      const person = personCalled('Carol');
      const command = anAnswer(incident, { person, groups: [APPROVERS], reason: 'it is on fire' });
      await incidents.transact(incident, (state) => decide(state, command, TERMS, new Date()));
      const about = { source: '/cordon/isolation-executor', at: new Date(), endpoint: incident };
      const data = { incidentId: incident.id };
      await bus.log.append(
        IsolationRequested.create({ ...about, id: randomUUID(), data: { ...data, alreadyWanted: false } }),
      );
      await bus.log.append(IsolationConfirmed.create({ ...about, id: randomUUID(), data }));
      return keep(incident);
    },
    async append(...events) {
      for (const event of events) await bus.log.append(event);
    },
    async expire(incident) {
      const later = new Date(Date.now() + 2 * EXPIRY_MS);
      await incidents.transact(incident, (state) => onTime(state, incident.id, TERMS, later));
    },
    async decisions(incident) {
      const { history } = await keep(incident);
      return history.filter((moment) => moment.type === 'approval.decided').length;
    },
    async signedIn({ name = 'Alice', idleMs, ...about } = {}) {
      const id = randomBytes(24).toString('base64url');
      const now = Date.now();
      const fresh = {
        person: personCalled(name),
        role: 'approver' as const,
        groups: [APPROVERS],
        authenticatedAt: now,
        signedInAt: now,
      };
      await keepSession(id, { signedIn: { ...fresh, ...about } }, idleMs);
      const person = new Person(url);
      person.setCookie(SESSION_COOKIE, encodeURIComponent(new Signer(SECRET).sign(id)));
      return person;
    },
    async change(person, { idleMs, ...about }) {
      const id = new Signer(SECRET).unsign(decodeURIComponent(person.cookie(SESSION_COOKIE) ?? '')).value ?? '';
      const session = await findSession(sessions, id);
      if (!session?.signedIn) throw new Error('not signed in');
      await keepSession(id, { ...session, signedIn: { ...session.signedIn, ...about } }, idleMs);
    },
    async [Symbol.asyncDispose]() {
      watch.stop();
      await app.close();
      await bus.close();
      await broker[Symbol.asyncDispose]();
    },
  };
}

export function personCalled(name: string): SignedIn['person'] {
  return { issuer: 'https://login.example.com', subject: name.toLowerCase(), name };
}

export const STALE = { authenticatedAt: Date.now() - 301_000 };
