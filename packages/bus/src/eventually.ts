import type { Logger } from 'pino';

/** A broker that just started may not answer yet, and concurrent creation of one stream may fail: a few tries. */
export async function eventually<T>(log: Logger, act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (attempt === 60) throw error;
      log.warn({ err: error, attempt }, 'broker not ready');
      await new Promise((resolve) => setTimeout(resolve, Math.min(1000, 50 * attempt)));
    }
  }
}
