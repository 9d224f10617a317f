import { enableCompileCache } from 'node:module';
import { createInterface } from 'node:readline/promises';

enableCompileCache(); // before everything else is loaded: a command is over before compiling it would be
const { COMMANDS } = await import('./commands/index.ts');
const { run } = await import('./run.ts');

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
// Whoever reads us may stop reading: `cordon tail | head`.
process.stdout.on('error', () => process.exit(0));

process.exitCode = await run(COMMANDS, process.argv.slice(2), {
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  isInteractive: process.stdin.isTTY && process.stderr.isTTY,
  async ask(question) {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await lines.question(question, { signal: interrupt.signal });
    } finally {
      lines.close();
    }
  },
  signal: interrupt.signal,
});
