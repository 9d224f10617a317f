import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceProcess } from '@cordon/sandbox';
import { type Action, describeAction, type Target } from './schedule.ts';
import type { Stage } from './stage.ts';
import { misbehave } from './stand-in-faults.ts';

/** A process that was taken away, until when it was gone, when it was of use again, and what it was then. */
export type Outage = {
  did: 'kill' | 'pause';
  target: string;
  wasLeader: boolean;
  at: number;
  until: number;
  backAt: number;
};

const EVENTS = 'CORDON_EVENTS';
const BACK_MS = 30_000;

/** Carries out the schedule. Resolves when the last action is over, with everything running again. */
export async function perform(stage: Stage, actions: Action[], say: (line: string) => void): Promise<Outage[]> {
  const outages: Outage[] = [];
  const startedAt = Date.now();
  const running: Promise<void>[] = [];
  for (const action of actions) {
    await delay(Math.max(0, startedAt + action.atMs - Date.now()));
    say(describeAction(action));
    running.push(act(action));
  }
  await Promise.all(running);
  return outages.sort((a, b) => a.at - b.at);

  async function act(action: Action): Promise<void> {
    if (action.do === 'fault') {
      const behave = misbehave(stage, action.standIn, action.kind);
      await delay(action.forMs);
      behave();
      return;
    }
    const service = stage.services.find(({ name }) => name === action.target);
    if (service) outages.push(await (action.do === 'kill' ? crash : freeze)(service, action.forMs));
    else outages.push(...(await onNodes(stage, action.do, action.target, action.forMs)));
  }
}

async function crash(service: ServiceProcess, forMs: number): Promise<Outage> {
  const at = Date.now();
  await service.kill();
  await delay(forMs / 3); // a supervisor does not wait long
  await service.start();
  const until = Date.now();
  await service.ready(BACK_MS).catch(ignore); // killed again meanwhile: that is an outage of its own
  return { did: 'kill', target: service.name, wasLeader: false, at, until, backAt: Date.now() };
}

async function freeze(service: ServiceProcess, forMs: number): Promise<Outage> {
  const at = Date.now();
  const { pid } = service;
  if (pid !== undefined) {
    process.kill(pid, 'SIGSTOP');
    await delay(forMs);
    if (service.pid === pid) process.kill(pid, 'SIGCONT'); // unless it is gone, and its number somebody else's
  }
  const until = Date.now();
  await service.ready(BACK_MS).catch(ignore);
  return { did: 'pause', target: service.name, wasLeader: false, at, until, backAt: Date.now() };
}

async function onNodes({ cluster }: Stage, did: 'kill' | 'pause', target: Target, forMs: number): Promise<Outage[]> {
  const leader = await cluster.leaderOf(EVENTS);
  const named = cluster.nodes.filter(({ name }) => target === 'all nodes' || name === target);
  const chosen = named.length > 0 ? named : leader ? [leader] : cluster.nodes.slice(0, 1);
  return Promise.all(
    chosen.map(async (node) => {
      const at = Date.now();
      if (did === 'kill') await node.kill();
      else node.pause();
      await delay(forMs);
      if (did === 'kill') await node.restart();
      else node.resume();
      const until = Date.now();
      await cluster.healthy(BACK_MS).catch(ignore);
      return { did, target: node.name, wasLeader: node === leader, at, until, backAt: Date.now() };
    }),
  );
}

const ignore = (): void => undefined;
