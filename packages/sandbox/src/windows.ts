import { setTimeout as delay } from 'node:timers/promises';
import type { EventRecord, StoredRule } from '@cordon/rules';
import { detect } from './detect.ts';
import type { Sensor } from './limacharlie-sensors.ts';
import type { LimaCharlieSandbox } from './limacharlie.ts';
import { madeUpHash, newProcess, startProcess, type Process } from './windows-telemetry.ts';
import { answer, lazagneBanner } from './windows-prompt.ts';

export interface WindowsOptions {
  hostname: string;
  /** Of a sensor the stand-in for LimaCharlie knows. */
  sid: string;
  /** Who sits at the prompt: mallory. */
  user?: string;
  limaCharlie: Pick<LimaCharlieSandbox, 'oid' | 'sensors' | 'whenOnline' | 'raise'>;
  /** What the cloud evaluates every event with. */
  rules: StoredRule[];
  /** How long after LaZagne its second process starts, in milliseconds: 400. */
  relaunchMs?: number;
}

/** A Windows endpoint with a PowerShell prompt and a LimaCharlie sensor. */
export interface WindowsMachine extends AsyncDisposable {
  readonly hostname: string;
  readonly sid: string;
  /** What stands before the cursor: `PS C:\Users\mallory\Downloads>`. */
  readonly prompt: string;
  /** The most recent events of the sensor, oldest first. */
  readonly events: readonly EventRecord[];
  /**
   * Runs one line and returns what the prompt prints. The sensor's events follow on their own, those of a sensor that
   * is offline when it is back.
   */
  run(commandLine: string): { output: string };
  /** Resolves when every event so far, relaunches included, has reached the cloud and each detection its webhook. */
  settled(): Promise<void>;
  /** Ends running programs; what they had not reported yet is lost. */
  close(): Promise<void>;
}

const lazagneHash = '3cc5ee93a9ba1fc57389705283b760c8bd61f35e9398bbfa3210e2becf6d4b05';
const mostEvents = 200;

/** Switches on a virtual Windows machine. Throws when the cloud has no sensor `sid`. */
export function startWindowsMachine(options: WindowsOptions): WindowsMachine {
  const { hostname, sid, user = 'mallory', limaCharlie, rules, relaunchMs = 400 } = options;
  const folder = `C:\\Users\\${user}\\Downloads`;
  const userName = `${hostname.toUpperCase()}\\${user}`;
  const files = new Map([['lazagne.exe', { name: 'LaZagne.exe', hash: lazagneHash }]]);
  const events: EventRecord[] = [];
  const underWay = new Set<Promise<void>>();
  const off = new AbortController();
  const shell = powershell(userName);
  sensor();

  function sensor(): Sensor {
    const found = limaCharlie.sensors().find((sensor) => sensor.sid === sid.toLowerCase());
    if (!found) throw new Error(`no sensor ${sid}`);
    return found;
  }

  function report(process: Process, detail: { brief: boolean }): void {
    const record = newProcess(process, sensor(), limaCharlie.oid, detail);
    events.push(record);
    if (events.length > mostEvents) events.shift();
    track(deliver(record));
  }

  async function deliver(record: EventRecord): Promise<void> {
    await limaCharlie.whenOnline(sid);
    const at = Date.now();
    record.routing['latency'] = at - Number(record.routing['event_time']);
    await Promise.all(detect(rules, record, at).map((detection) => limaCharlie.raise(detection)));
  }

  function track(work: Promise<void>): void {
    underWay.add(work);
    void work.finally(() => underWay.delete(work));
  }

  function launch(filePath: string, typed: string, file: { hash: string; signed: boolean }): Process {
    const commandLine = `"${filePath}"${typed}`;
    const process = startProcess({ filePath, commandLine, ...file, userName, startedAt: Date.now(), parent: shell });
    report(process, { brief: false });
    return process;
  }

  // LaZagne is one packed file that starts itself again, so that one run is two processes and two detections.
  async function relaunch(process: Process): Promise<void> {
    try {
      await delay(relaunchMs, undefined, { signal: off.signal });
    } catch {
      return; // switched off meanwhile
    }
    const startedAt = process.startedAt + relaunchMs;
    report(startProcess({ ...process, startedAt, parent: process }), { brief: true });
  }

  function execute(name: string, typed: string): string {
    const file = files.get(name.toLowerCase());
    const isLazagne = file?.hash === lazagneHash || name.toLowerCase().endsWith('lazagne.exe');
    const hash = isLazagne ? lazagneHash : (file?.hash ?? madeUpHash(name));
    const process = launch(`${folder}\\${name}`, typed, { hash, signed: false });
    if (!isLazagne) return '';
    track(relaunch(process));
    return lazagneBanner(user);
  }

  return {
    hostname,
    sid,
    prompt: `PS ${folder}>`,
    events,
    run(commandLine) {
      const { online, isolated, internalIp } = sensor();
      return {
        output: answer(commandLine, {
          hostname,
          userName,
          folder,
          internalIp,
          connected: online && !isolated,
          files,
          execute,
          launchSystemProgram: (name, typed) =>
            void launch(`C:\\Windows\\System32\\${name}`, typed, { hash: madeUpHash(name), signed: true }),
        }),
      };
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    async close() {
      off.abort();
    },
    async [Symbol.asyncDispose]() {
      await this.close();
    },
  };
}

function powershell(userName: string): Process {
  const startedAt = Date.now();
  const folder = 'C:\\Windows';
  const system = { userName, startedAt, signed: true };
  const explorer = startProcess({
    ...system,
    filePath: `${folder}\\explorer.exe`,
    commandLine: `${folder}\\Explorer.EXE`,
    hash: madeUpHash('explorer.exe'),
    parent: undefined,
  });
  const filePath = `${folder}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`;
  return startProcess({
    ...system,
    filePath,
    commandLine: `"${filePath}" `,
    hash: madeUpHash('powershell.exe'),
    parent: explorer,
  });
}
