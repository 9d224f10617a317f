const TICK_MS = 1000;

/**
 * A signal that aborts once this process has run for so long. The time for which it was stopped or its machine suspended
 * does not count: an answer may have come meanwhile, and timers fire before anything is read.
 */
export function patience(ms: number): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  let ticks = Math.ceil(ms / TICK_MS);
  const timer = setInterval(() => {
    if (--ticks === 0) setImmediate(() => controller.abort()); // the last tick too: first what arrived is read
  }, TICK_MS);
  return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(timer) };
}
