import { z } from 'zod';

/** What can go wrong with an API call; `answer-lost` carries the call out and then drops the connection. */
export const FaultKind = z.enum(['401', '403', '429', '500', '504', 'slow', 'dropped', 'answer-lost']);
export type FaultKind = z.infer<typeof FaultKind>;

export const FaultLimits = z.strictObject({
  route: z.string().optional().describe('As in `calls.counts`: "POST /v1/:sid/isolation". Without it, every /v1 call.'),
  delayMs: z.int().nonnegative().default(5000).describe('How late a slow answer comes.'),
  periodSeconds: z.int().nonnegative().default(60).describe('X-RateLimit-Period of a 429.'),
});
export type FaultLimits = z.infer<typeof FaultLimits>;

type Fault = FaultLimits & { kind: FaultKind; left: number };

/** Faults waiting for their calls. A new one of the same kind and route replaces the one before. */
export function createFaults() {
  let faults: Fault[] = [];
  return {
    /** Lets the next `count` calls fail in this way, or every call until it is cleared. */
    set(kind: FaultKind, count?: number, limits: z.input<typeof FaultLimits> = {}): void {
      const fault = { kind, left: count ?? Infinity, ...FaultLimits.parse(limits) };
      faults = [...faults.filter((other) => other.kind !== kind || other.route !== fault.route), fault];
    },
    /** Ends one kind of fault, or all of them. */
    clear(kind?: FaultKind): void {
      faults = kind === undefined ? [] : faults.filter((fault) => fault.kind !== kind);
    },
    /** Uses up what applies to this call: any delays, and the first of the other faults. */
    take(route: string): { delayMs: number; fault: Fault | undefined } {
      const due = faults.filter((fault) =>
        fault.route === undefined ? route.includes(' /v1/') : fault.route === route,
      );
      const slow = due.filter(({ kind }) => kind === 'slow');
      const fault = due.find(({ kind }) => kind !== 'slow');
      for (const used of fault ? [...slow, fault] : slow) used.left -= 1;
      faults = faults.filter(({ left }) => left > 0);
      return { delayMs: Math.max(0, ...slow.map(({ delayMs }) => delayMs)), fault };
    },
    list: (): readonly Fault[] => faults,
  };
}
