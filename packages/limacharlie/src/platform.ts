/**
 * LimaCharlie docs (id-schema): `plat` is one of these, decimal in telemetry and 8 hex digits in an AgentID. Everything
 * that is not listed is an adapter: a log source without an endpoint behind it.
 */
const PLATFORM_NAMES: ReadonlyMap<number, string> = new Map([
  [0x10000000, 'windows'],
  [0x20000000, 'linux'],
  [0x30000000, 'macos'],
  [0x40000000, 'ios'],
  [0x50000000, 'android'],
  [0x60000000, 'chrome'],
]);
/** LimaCharlie docs (endpoint-commands): only these can be isolated. */
const ISOLATABLE: ReadonlySet<string> = new Set(['windows', 'linux', 'macos', 'chrome']);
/** LimaCharlie docs (id-schema): `arch` 9 is `usp_adapter`, whatever `plat` says. */
const ADAPTER_ARCHITECTURE = 9;

/** A `plat` value as a number: a number as it is, a text as 8 hex digits with or without `0x`. */
export function platformOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  if (typeof value !== 'string' || !/^(0x)?[0-9a-f]{8}$/i.test(value)) return undefined;
  return Number.parseInt(value, 16);
}

/** The platform in an AgentID `OID.IID.SID.PLATFORM.ARCH`, which is what a detection's `source` is. */
export function platformOfSource(source: string | undefined): number | undefined {
  const parts = source?.split('.') ?? [];
  return parts.length === 5 ? platformOf(parts[3]) : undefined;
}

/** `windows`, `linux`, ...; `adapter` where there is no endpoint, `unknown` where nothing was said. */
export function platformName(platform: number | undefined): string {
  return platform === undefined ? 'unknown' : (PLATFORM_NAMES.get(platform) ?? 'adapter');
}

/** Whether there is a machine behind it that LimaCharlie can cut off from the network. */
export function isIsolatable(platform: number | undefined, architecture: number | undefined): boolean {
  return ISOLATABLE.has(platformName(platform)) && architecture !== ADAPTER_ARCHITECTURE;
}
