import type { Incident } from './state.ts';

/** The machine of an incident as policy looks at it: by its name, the sensor's tags, and `windows`, `linux`, `macos`. */
export function machineOf({ hostname, detection: { device, metadata } }: Pick<Incident, 'hostname' | 'detection'>) {
  return {
    hostname,
    tags: device.tags ?? metadata.labels ?? [],
    platform: device.os?.name.toLowerCase() ?? 'unknown',
  };
}
