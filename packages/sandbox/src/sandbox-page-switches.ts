import type { LimaCharlieSandbox } from './limacharlie.ts';
import type { FaultKind } from './limacharlie-faults.ts';
import type { Mail } from './mail.ts';
import type { Slack, SlackFault } from './slack.ts';
import type { WindowsMachine } from './windows.ts';

/** What the page shows and can break; a part is absent where its real counterpart is connected. */
export type Parts = {
  limaCharlie?: LimaCharlieSandbox;
  machine?: WindowsMachine;
  slack?: Slack;
  mail?: Mail;
};

/** One thing that can be broken and repaired. */
export type Switch = {
  id: string;
  label: string;
  /** What Cordon does about it, for a person who is about to try. */
  expect: string;
  isOn: () => boolean;
  turn: (on: boolean) => void;
};

export type SwitchGroup = { id: 'machine' | 'slack' | 'mail' | 'limacharlie'; name: string; switches: Switch[] };

/** Everything that can be broken among the stand-ins there are. Of one group, a switch turns the others off. */
export function switchesOf({ limaCharlie, machine, slack, mail }: Parts): SwitchGroup[] {
  const groups: SwitchGroup[] = [];
  if (limaCharlie && machine) {
    groups.push({ id: 'machine', name: 'Windows machine', switches: [machineOffline(limaCharlie, machine.sid)] });
  }
  if (slack) {
    groups.push({
      id: 'slack',
      name: 'Slack',
      switches: [
        slackFault(
          slack,
          { kind: 'down' },
          'Down',
          'Mail, question and isolation go on. Each message follows once, when Slack is back.',
        ),
        slackFault(
          slack,
          { kind: 'rate-limited', retryAfterSeconds: 10 },
          'Too many requests (429)',
          'Cordon waits as long as Slack asks, ten seconds, and nothing else waits with it.',
        ),
      ],
    });
  }
  if (mail) {
    groups.push({
      id: 'mail',
      name: 'Mail server',
      switches: [
        {
          id: 'mail-down',
          label: 'Down',
          expect: 'Slack still says everything. The mails follow when the server is back.',
          isOn: () => mail.faults.list().some(({ kind }) => kind === 'down'),
          turn: (on) => {
            mail.faults.clear();
            if (on) mail.faults.add({ kind: 'down' });
          },
        },
      ],
    });
  }
  if (limaCharlie) {
    const fault = (kind: FaultKind, label: string, expect: string): Switch =>
      apiFault(limaCharlie, kind, label, expect);
    groups.push({
      id: 'limacharlie',
      name: 'LimaCharlie API',
      switches: [
        fault('500', 'Errors (500)', 'Cordon keeps trying, and says “isolated” only when the sensor does.'),
        fault('429', 'Too many requests (429)', 'Cordon waits as long as the API asks, ten seconds.'),
        fault('slow', 'Slow (5 seconds)', 'Page, Slack and mail stay quick: only the isolation takes longer.'),
        fault('dropped', 'Drops connections', 'Cordon reads the state before it asks again: never twice by mistake.'),
      ],
    });
  }
  return groups;
}

function machineOffline(limaCharlie: LimaCharlieSandbox, sid: string): Switch {
  return {
    id: 'machine-offline',
    label: 'Offline',
    expect: 'Decide while it is off: Cordon reports “pending”, and “isolated” once the machine is back.',
    isOn: () => sensorOf(limaCharlie, sid)?.online === false,
    turn: (on) => limaCharlie.setOnline(sid, !on),
  };
}

/** The sensor of a machine as it is now. */
export function sensorOf(limaCharlie: LimaCharlieSandbox, sid: string) {
  return limaCharlie.sensors().find((sensor) => sensor.sid === sid.toLowerCase());
}

function slackFault(slack: Slack, fault: SlackFault, label: string, expect: string): Switch {
  return {
    id: `slack-${fault.kind}`,
    label,
    expect,
    isOn: () => slack.faults.list().some(({ kind, method }) => kind === fault.kind && method === undefined),
    turn: (on) => {
      slack.faults.clear();
      if (on) slack.faults.add(fault);
    },
  };
}

function apiFault({ faults }: LimaCharlieSandbox, kind: FaultKind, label: string, expect: string): Switch {
  return {
    id: `limacharlie-${kind}`,
    label,
    expect,
    isOn: () => faults.list().some((fault) => fault.kind === kind && fault.route === undefined),
    turn: (on) => {
      faults.clear();
      if (on) faults.set(kind, undefined, { periodSeconds: 10 });
    },
  };
}
