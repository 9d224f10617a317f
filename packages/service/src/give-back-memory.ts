import { performance } from 'node:perf_hooks';
import { runInNewContext } from 'node:vm';

/** Of the time. An idle service works for a hundredth of it. */
const QUIET = 0.03;
const GROWN = 1.1;

/**
 * Gives back to the system what a load has taken, once it is over: where `everyMs` were quiet after others that were not, or
 * the process holds a tenth more than after its last rest. By itself V8 keeps pages that it emptied, 50 MB of them in a
 * service, for minutes after. Such a collection takes a tenth of a second, for which the process stands still. Needs `lean`.
 */
export function giveBackMemoryWhenQuiet(everyMs = 15_000): void {
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('gc() is not there: `lean` has to be imported first');
  let before = performance.eventLoopUtilization();
  let hasWorked = false;
  let rested = 0;
  const look = (): void => {
    const { utilization } = performance.eventLoopUtilization(before);
    if (utilization > QUIET) hasWorked = true;
    else if (hasWorked || process.memoryUsage.rss() >= rested * GROWN) {
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      hasWorked = false;
      rested = process.memoryUsage.rss();
    }
    before = performance.eventLoopUtilization(); // to collect is no work
  };
  setInterval(look, everyMs).unref();
}
