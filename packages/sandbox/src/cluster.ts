import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { z } from 'zod';
import { type Broker, startBroker } from './broker.ts';

/** One nats-server of a cluster. */
export interface ClusterNode {
  readonly name: string;
  readonly url: string;
  /** Of the process running now, undefined while none is. */
  readonly pid: number | undefined;
  /** SIGKILL, as a crash; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts again on the same ports and store; resolves when it accepts connections. */
  restart(): Promise<void>;
  /** SIGSTOP: the process keeps its connections and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

/** A message of a stream, as it is stored. */
export type ClusterMessage = { seq: number; subject: string; text: string; header(name: string): string };
/** What a durable consumer still has to do, and what it has done. */
export type Backlog = {
  stream: string;
  consumer: string;
  /** Not delivered yet. */
  waiting: number;
  /** Delivered and not acknowledged. */
  unacknowledged: number;
  /** How often anything was delivered, repetitions included. */
  deliveries: number;
};

/** Several nats-servers with JetStream that replicate to each other. */
export interface Cluster extends AsyncDisposable {
  /** All nodes, for `NATS_URL`. */
  readonly url: string;
  readonly nodes: readonly ClusterNode[];
  /** Resolves when every node says that all its streams are caught up. Throws after `withinMs`. */
  healthy(withinMs?: number): Promise<void>;
  /** The node that leads a stream; nothing while there is none. */
  leaderOf(stream: string): Promise<ClusterNode | undefined>;
  /** Everything in a stream, read once from the start by a client of its own. */
  read(stream: string): Promise<ClusterMessage[]>;
  /** What every durable consumer still has to do. */
  backlog(): Promise<Backlog[]>;
}

export type ClusterOptions = {
  /** How many nodes; three unless told otherwise. */
  nodes?: number;
  /** Added to every node's configuration file. */
  configExtra?: string;
};

type Node = ClusterNode & { broker: Broker; serverName: string };

const FORMING_MS = 60_000;
const LOOK_MS = 100;
const ANSWER_MS = 2000;

const Health = z.object({ status: z.string() });
const Names = z.object({ server_name: z.string() });
const Streams = z.object({
  account_details: z
    .array(
      z.object({
        stream_detail: z
          .array(z.object({ name: z.string(), cluster: z.object({ leader: z.string().optional() }).optional() }))
          .optional(),
      }),
    )
    .optional(),
  meta_cluster: z.object({ leader: z.string().optional(), cluster_size: z.int().optional() }).optional(),
});

/**
 * Starts a cluster of nats-servers as child processes, which end when this process does. Resolves when they have found
 * each other and elected who leads, so that streams with replicas can be created.
 */
export async function startCluster({ nodes: count = 3, configExtra = '' }: ClusterOptions = {}): Promise<Cluster> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort(ports));
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
  const name = `cordon-${ports.join('-')}`; // a stranger on a port never joins
  const brokers: Broker[] = [];
  const nodes: Node[] = [];
  const dispose = async (): Promise<void> => {
    for (const node of nodes) node.resume();
    await Promise.all(brokers.map((broker) => broker[Symbol.asyncDispose]()));
  };

  try {
    for (const [index, port] of ports.entries()) {
      const cluster = `cluster { name: "${name}", listen: "127.0.0.1:${port}", routes: [${routes}], connect_retries: 0 }`;
      const broker = await startBroker({ configExtra: `${cluster}\n${configExtra}` });
      brokers.push(broker);
      const { server_name: serverName } = await ask(broker, 'varz', Names);
      nodes.push(nodeOf(broker, `node ${index + 1}`, serverName));
    }
    await eventually('the nodes do not find each other', FORMING_MS, async () => {
      const seen = await Promise.all(nodes.map(({ broker }) => ask(broker, 'jsz', Streams)));
      return seen.every(({ meta_cluster: meta }) => meta?.leader && meta.cluster_size === count);
    });
  } catch (error) {
    await dispose();
    throw error;
  }

  const url = nodes.map((node) => node.url).join(',');
  return {
    url,
    nodes,
    healthy: (withinMs = FORMING_MS) =>
      eventually('not every node is healthy', withinMs, async () => {
        const health = await Promise.all(nodes.map(({ broker }) => ask(broker, 'healthz', Health)));
        return health.every(({ status }) => status === 'ok');
      }),
    async leaderOf(stream) {
      const said = await Promise.allSettled(nodes.map(({ broker }) => ask(broker, 'jsz?streams=true', Streams)));
      const leaders = said.flatMap((answer, index) => {
        if (answer.status === 'rejected') return [];
        const details = (answer.value.account_details ?? []).flatMap((account) => account.stream_detail ?? []);
        const leader = details.find((detail) => detail.name === stream)?.cluster?.leader;
        return leader === undefined ? [] : [{ leader, isOwnWord: leader === nodes[index]?.serverName }];
      });
      // Who says so of itself knows it first; the others may still name the one before.
      const known = leaders.find(({ isOwnWord }) => isOwnWord) ?? leaders[0];
      return nodes.find((node) => node.serverName === known?.leader);
    },
    read: (stream) => readStream(url, stream),
    backlog: () => backlogOf(url),
    [Symbol.asyncDispose]: dispose,
  };
}

function nodeOf(broker: Broker, name: string, serverName: string): Node {
  const signal = (which: NodeJS.Signals): void => {
    if (broker.pid !== undefined) process.kill(broker.pid, which);
  };
  return {
    name,
    serverName,
    broker,
    url: broker.url,
    get pid() {
      return broker.pid;
    },
    kill: () => broker.kill(),
    restart: () => broker.restart(),
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
  };
}

async function readStream(url: string, stream: string): Promise<ClusterMessage[]> {
  const connection = await connect({ servers: url.split(','), name: 'reader' });
  try {
    const { state } = await (await jetstreamManager(connection)).streams.info(stream);
    const found: ClusterMessage[] = [];
    if (state.messages === 0) return found;
    const messages = await (await jetstream(connection).consumers.get(stream)).consume({ expires: 5000 });
    for await (const message of messages) {
      const { seq, subject, headers } = message;
      found.push({ seq, subject, text: message.string(), header: (name) => headers?.get(name) ?? '' });
      if (seq >= state.last_seq) break;
    }
    return found;
  } finally {
    await connection.close();
  }
}

async function backlogOf(url: string): Promise<Backlog[]> {
  const connection = await connect({ servers: url.split(','), name: 'backlog' });
  try {
    const manager = await jetstreamManager(connection);
    const backlogs: Backlog[] = [];
    for await (const stream of manager.streams.list()) {
      for await (const info of manager.consumers.list(stream.config.name)) {
        if (info.config.durable_name === undefined) continue;
        backlogs.push({
          stream: stream.config.name,
          consumer: info.config.durable_name,
          waiting: info.num_pending,
          unacknowledged: info.num_ack_pending,
          deliveries: info.delivered.consumer_seq,
        });
      }
    }
    return backlogs;
  } finally {
    await connection.close();
  }
}

/** What a node's monitoring says. */
async function ask<T>({ monitorUrl }: Broker, path: string, schema: z.ZodType<T>): Promise<T> {
  const response = await fetch(`${monitorUrl}/${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
  return schema.parse(await response.json());
}

async function eventually(fault: string, withinMs: number, look: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const isSo = await look().catch(() => false); // a node that does not answer yet
    if (isSo) return;
    if (Date.now() > deadline) throw new Error(`after ${withinMs} ms: ${fault}`);
    await delay(LOOK_MS);
  }
}

/** Below the range from which systems hand out ports to clients: nodes keep trying the ports of those that are down. */
async function freePort(taken: readonly number[]): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (taken.includes(port)) continue;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
