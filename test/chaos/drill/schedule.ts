import { type ServiceName, SERVICES } from '@cordon/sandbox';
import type { DrillOptions } from './options.ts';
import type { Random } from './random.ts';

/** A node by its number, whoever leads the events then, or all nodes at once. */
export type Target = ServiceName | 'node 1' | 'node 2' | 'node 3' | 'the leader' | 'all nodes';
export type FaultKind = 'slow' | 'half-open' | '429' | '500';
export type StandIn = 'LimaCharlie' | 'Slack' | 'mail';

/** What happens `atMs` after the start, and for how long. */
export type Action = { atMs: number; forMs: number } & (
  | { do: 'kill' | 'pause'; target: Target }
  | { do: 'fault'; standIn: StandIn; kind: FaultKind }
);

const NODES: readonly ['node 1', 'node 2', 'node 3'] = ['node 1', 'node 2', 'node 3'];
const STAND_INS: readonly StandIn[] = ['LimaCharlie', 'Slack', 'mail'];
const KINDS: readonly FaultKind[] = ['slow', 'half-open', '429', '500'];
/** From so many kills on, one of them takes all nodes at once. */
const KILLS_FOR_ALL = 20;

/** Everything that will go wrong, in order of time. The same seed and options give the same schedule. */
export function planDrill(options: DrillOptions, chance: Random): Action[] {
  const { kills, pauses, faults, seconds } = options;
  const nodeKills = Math.max(1, Math.round(kills / 3));
  const nodePauses = Math.floor(pauses / 3);

  const onNodes = [
    ...Array.from({ length: nodeKills }, (_, index): Happening => {
      if (index === 1 && kills >= KILLS_FOR_ALL) return { do: 'kill', target: 'all nodes' };
      return { do: 'kill', target: index % 2 === 0 ? 'the leader' : chance.pick(NODES) };
    }),
    ...Array.from({ length: nodePauses }, (_, index): Happening => {
      return { do: 'pause', target: index % 2 === 0 ? 'the leader' : chance.pick(NODES) };
    }),
  ];
  const onServices = [
    ...inTurn(SERVICES, kills - nodeKills, chance).map((target): Happening => ({ do: 'kill', target })),
    ...inTurn(SERVICES, pauses - nodePauses, chance).map((target): Happening => ({ do: 'pause', target })),
  ];
  return [
    ...spread(chance.shuffled(onNodes), { seconds, longestMs: 8000 }, chance),
    ...spread(chance.shuffled(onServices), { seconds, longestMs: 6000 }, chance),
    ...STAND_INS.flatMap((standIn) => {
      const kinds = inTurn(KINDS, faults, chance);
      return spread(
        kinds.map((kind): Happening => ({ do: 'fault', standIn, kind })),
        { seconds, longestMs: 10_000 },
        chance,
      );
    }),
  ].sort((a, b) => a.atMs - b.atMs);
}

type Happening = { do: 'kill' | 'pause'; target: Target } | { do: 'fault'; standIn: StandIn; kind: FaultKind };

/** One after the other in time, each over before the next begins. */
function spread(
  happenings: Happening[],
  { seconds, longestMs }: { seconds: number; longestMs: number },
  chance: Random,
): Action[] {
  const slotMs = (seconds * 1000) / happenings.length;
  const longest = Math.min(longestMs, slotMs * 0.6);
  return happenings.map((happening, index) => {
    const forMs = Math.round(longest * (0.3 + 0.7 * chance.next()));
    return { ...happening, forMs, atMs: Math.round(index * slotMs + chance.next() * (slotMs - forMs)) };
  });
}

/** So many of a list, each as often as any other. */
function inTurn<T>(list: readonly T[], count: number, chance: Random): T[] {
  const rounds = Array.from({ length: Math.ceil(count / list.length) }, () => chance.shuffled(list));
  return rounds.flat().slice(0, count);
}

/** An action as a line for people. */
export function describeAction(action: Action): string {
  const what = action.do === 'fault' ? `${action.standIn} ${action.kind}` : `${action.do} ${action.target}`;
  return `${seconds(action.atMs)}  ${what} for ${seconds(action.forMs).trim()}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`.padStart(8);
}
