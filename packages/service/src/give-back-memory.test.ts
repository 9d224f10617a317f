import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** A process that fills its heap and lets go of it, as a load does. Prints MiB then, and after `meanwhile`. */
async function afterLoad(meanwhile: string): Promise<{ loaded: number; then: number }> {
  const text = `
    import { constants, PerformanceObserver } from 'node:perf_hooks';
    import { giveBackMemoryWhenQuiet } from ${JSON.stringify(new URL('give-back-memory.ts', import.meta.url).href)};
    const resident = () => process.memoryUsage.rss() / 2 ** 20;
    const collected = () => new Promise((resolve) => {
      const isMajor = ({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
      new PerformanceObserver((list) => list.getEntries().some(isMajor) && resolve()).observe({ type: 'gc' });
    });
    setInterval(() => {}, 1000); // keeps the process, as a connection would
    Array.from({ length: 1_000_000 }, (_, index) => ({ index, text: 'x' + index }));
    const loaded = resident();
    giveBackMemoryWhenQuiet(500); // three hundredths of it are 15 ms: a busy machine is not taken for a busy process
    ${meanwhile}
    console.log(JSON.stringify({ loaded, then: resident() }));
    process.exit();`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--expose-gc',
    '--input-type=module',
    '--eval',
    text,
  ]);
  return JSON.parse(stdout);
}

test('what a load took is given back when it is over', async () => {
  const { loaded, then } = await afterLoad('while (resident() > loaded / 2) await collected();');
  expect(then).toBeLessThan(loaded / 2);
});

test('not while there is work', async () => {
  const { loaded, then } = await afterLoad(`
    for (const end = performance.now() + 2000; performance.now() < end; ) {
      for (const until = performance.now() + 5; performance.now() < until; );
      await new Promise(setImmediate);
    }`);
  expect(then).toBeGreaterThan(loaded * 0.8);
});

test('after more work again, however little it took', async () => {
  await afterLoad(`
    while (resident() > loaded / 2) await collected();
    await new Promise((resolve) => setTimeout(resolve, 200)); // the rest of that collection
    const again = collected();
    for (const until = performance.now() + 100; performance.now() < until; );
    const tooLate = new Promise((resolve) => setTimeout(resolve, 3000, 'too late')); // after 8 s V8 does it by itself
    if ((await Promise.race([again, tooLate])) === 'too late') throw new Error('not collected');`);
});

test('not again where there is nothing to give back', async () => {
  await afterLoad(`
    while (resident() > loaded / 2) await collected();
    await new Promise((resolve) => setTimeout(resolve, 200)); // the rest of that collection
    const looks = new Promise((resolve) => setTimeout(resolve, 2000, 'looks'));
    if ((await Promise.race([collected(), looks])) !== 'looks') throw new Error('collected again');`);
});
