import { readOptions } from './drill/options.ts';
import { runDrill } from './drill/run-drill.ts';

// `npm run drill`: the whole system under load while things are killed. Exits with 1 where anything was lost or doubled.

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const { verdict, text } = await runDrill(readOptions(process.argv.slice(2)), say);
say(`\n${text}`);
process.exit(verdict.violations.length === 0 ? 0 : 1);
