/** Faults that a test asked for, in the order in which they were asked for. */
export interface Faults<Fault> {
  /** Active until its `times` are used up, or until `clear`. */
  add(fault: Fault): void;
  clear(): void;
  list(): Fault[];
}

/** The faults, and how the stand-in itself uses one up. */
export interface FaultQueue<Fault> extends Faults<Fault> {
  /** The first active fault that applies now; this counts as one use of it. */
  take(applies: (fault: Fault) => boolean): Fault | undefined;
}

export function faultQueue<Fault extends { times?: number | undefined }>(): FaultQueue<Fault> {
  let active: { fault: Fault; left: number }[] = [];
  return {
    add: (fault) => void active.push({ fault, left: fault.times ?? Infinity }),
    clear: () => void (active = []),
    list: () => active.map(({ fault, left }) => (left === Infinity ? fault : { ...fault, times: left })),
    take(applies) {
      const found = active.find(({ fault }) => applies(fault));
      if (!found) return undefined;
      found.left--;
      active = active.filter(({ left }) => left > 0);
      return found.fault;
    },
  };
}
