import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { SHORT } from './drill/options.ts';
import { runDrill } from './drill/run-drill.ts';

/** The short form of `npm run drill`; a seed that failed is tried again with `npm run drill -- --short --seed <seed>`. */
test(
  'a fire drill: nothing lost, asked, decided or isolated twice, and nothing stuck',
  { timeout: 360_000 },
  async () => {
    const lines: string[] = [];
    const { verdict, text } = await runDrill(
      { ...SHORT, seed: randomInt(1, 1_000_000) },
      (line) => void lines.push(line),
    );
    process.stdout.write(`${text}\n`);
    expect(verdict.violations, `${lines.join('\n')}\n${text}`).toEqual([]);
  },
);
