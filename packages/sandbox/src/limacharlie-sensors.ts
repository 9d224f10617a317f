import { z } from 'zod';

/** What the stand-in knows of one endpoint; only `sid` and `hostname` have to be given. */
export const Sensor = z.object({
  sid: z.guid().toLowerCase(),
  iid: z.guid().default('7d23bee6-0000-4000-8000-c8e8cca132a1'),
  hostname: z.string(),
  plat: z.int().default(0x10000000).describe('Windows unless told otherwise.'),
  arch: z.int().default(2).describe('x64 unless told otherwise.'),
  internalIp: z.string().default('10.0.0.10'),
  externalIp: z.string().default('203.0.113.10'),
  online: z.boolean().default(true),
  isolated: z.boolean().default(false).describe('The state in force on the endpoint.'),
  shouldIsolate: z.boolean().default(false).describe('The wish kept in the cloud.'),
  tags: z.array(z.string()).default([]),
  enrolledAt: z.int().default(() => Date.now()),
  lastSeenAt: z.int().default(() => Date.now()),
});
export type Sensor = z.infer<typeof Sensor>;

/**
 * Plays the sensors' side of isolation: the wish is kept at once, the state follows `lagMs` later and only while the
 * sensor is online, so an offline sensor carries out its wish when it is back (LimaCharlie docs: "Response Actions";
 * that an offline sensor is asked like any other follows from it and is unproven).
 *
 * `save` is called after each change.
 */
export function superviseSensors(sensors: Sensor[], { lagMs, save }: { lagMs: number; save: () => void }) {
  const timers = new Map<string, NodeJS.Timeout>();
  const waiting = new Map<string, (() => void)[]>();

  function follow(sensor: Sensor): void {
    if (!sensor.online || sensor.isolated === sensor.shouldIsolate) {
      clearTimeout(timers.get(sensor.sid));
      timers.delete(sensor.sid);
    } else if (!timers.has(sensor.sid)) {
      const apply = (): void => {
        timers.delete(sensor.sid);
        sensor.isolated = sensor.shouldIsolate;
        save();
      };
      timers.set(sensor.sid, setTimeout(apply, lagMs));
    }
  }

  function find(sid: string): Sensor | undefined {
    return sensors.find((sensor) => sensor.sid === sid.toLowerCase());
  }

  function known(sid: string): Sensor {
    const sensor = find(sid);
    if (!sensor) throw new Error(`no sensor ${sid}`);
    return sensor;
  }

  sensors.forEach(follow);
  return {
    find,
    wish: (sensor: Sensor, shouldIsolate: boolean): void => {
      sensor.shouldIsolate = shouldIsolate;
      follow(sensor);
      save();
    },
    setOnline: (sid: string, online: boolean): void => {
      const sensor = known(sid);
      sensor.online = online;
      sensor.lastSeenAt = Date.now();
      follow(sensor);
      save();
      if (!online) return;
      for (const resume of waiting.get(sensor.sid) ?? []) resume();
      waiting.delete(sensor.sid);
    },
    whenOnline: (sid: string): Promise<void> => {
      const sensor = known(sid);
      if (sensor.online) return Promise.resolve();
      return new Promise((resolve) => void waiting.set(sensor.sid, [...(waiting.get(sensor.sid) ?? []), resolve]));
    },
    setIsolated: (sid: string, isolated: boolean): void => {
      const sensor = known(sid);
      sensor.isolated = isolated;
      // No `follow`: an endpoint that drifted stays so until somebody asks again or it reconnects.
      save();
    },
    stop: (): void => {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}
