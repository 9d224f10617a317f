import { setTimeout as delay } from 'node:timers/promises';
import { type Evidence, gather } from './evidence.ts';
import { judge, type Verdict } from './judge.ts';
import type { DrillOptions } from './options.ts';
import { type People, startPeople } from './people.ts';
import { perform } from './perform.ts';
import { createRandom } from './random.ts';
import { report } from './report.ts';
import { describeAction, planDrill } from './schedule.ts';
import { type Stage, startStage } from './stage.ts';
import { sendWebhooks } from './webhooks.ts';

const LOOK_MS = 1000;
const QUIET_LOOKS = 3;

/** A whole drill, from nothing to the verdict. `say` hears what happens while it happens. */
export async function runDrill(
  options: DrillOptions,
  say: (line: string) => void,
): Promise<{ verdict: Verdict; evidence: Evidence; text: string }> {
  const chance = createRandom(options.seed);
  const actions = planDrill(options, chance.fork('schedule'));
  say(`seed ${options.seed}: ${JSON.stringify(options)}`);
  for (const action of actions) say(describeAction(action));

  await using stage = await startStage(options, chance.fork('habits'));
  say('everything is ready, it begins');
  const people = startPeople(stage, chance.fork('people'));
  const patience = AbortSignal.timeout((options.seconds + options.quietSeconds) * 1000);
  const [load, outages] = await Promise.all([
    sendWebhooks(stage, options, chance.fork('webhooks'), patience),
    perform(stage, actions, say),
  ]);
  const overAt = Date.now();
  say(`it is over: ${load.accepted.size} of ${load.sent} accepted; waiting for quiet`);
  const restless = await untilQuiet(stage, people, overAt + options.quietSeconds * 1000, say);
  const quietMs = Date.now() - overAt;
  await people.stop();
  if (load.accepted.size < load.sent) restless.push(`${load.sent - load.accepted.size} webhooks never accepted`);
  const evidence = await gather(stage, { accepted: load.accepted, outages, told: people.told, restless });
  const verdict = judge(evidence);
  return { verdict, evidence, text: report(options, verdict, evidence, { load, people, quietMs }) };
}

/** Resolves when nobody has anything left to do, or with what is left at the deadline. */
async function untilQuiet(
  { cluster, services, hosts, limaCharlie }: Stage,
  people: People,
  deadline: number,
  say: (line: string) => void,
): Promise<string[]> {
  let quiet = 0;
  for (let look = 0; ; look++) {
    const left = await work();
    quiet = left.length === 0 ? quiet + 1 : 0;
    if (quiet === QUIET_LOOKS) return [];
    if (Date.now() > deadline) return left;
    if (look % 15 === 0) say(`still to do: ${left.join(', ') || 'nothing'}`);
    await delay(LOOK_MS);
  }

  async function work(): Promise<string[]> {
    try {
      const isolated = limaCharlie.sensors().filter((sensor) => sensor.isolated);
      const returning = hosts.filter(
        ({ sid, habit }) => habit.tier === 'back' && isolated.some((one) => one.sid === sid),
      );
      // An isolated machine is looked after for as long as it is.
      const lookedAfter = new Map([['executor-watch', isolated.length]]);
      const backlog = await cluster.backlog();
      return [
        ...services.filter(({ pid }) => pid === undefined).map(({ name }) => `${name} is down`),
        ...backlog
          .filter(
            ({ consumer, waiting, unacknowledged }) => waiting > 0 || unacknowledged > (lookedAfter.get(consumer) ?? 0),
          )
          .map(({ consumer, waiting, unacknowledged }) => `${consumer} ${waiting}+${unacknowledged}`),
        ...(returning.length > 0 ? [`${returning.length} to be released`] : []),
        ...(people.idle() ? [] : ['questions']),
      ];
    } catch (error) {
      return [`the broker does not answer (${error instanceof Error ? error.message : String(error)})`];
    }
  }
}
