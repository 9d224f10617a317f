import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { measureDecision, reportDecision } from './decision.ts';
import { reportFull, startFullBroker } from './full.ts';
import { measureIngest, reportIngest } from './ingest.ts';
import { measureMemory, reportMemory } from './memory.ts';
import { measureNotice, reportNotice } from './notice.ts';
import { createReport, round } from './report.ts';
import { type Measured, nothingMeasured, setStage } from './stage.ts';

// `npm run bench`: the figures, each beside a baseline of the same run. Nothing is asserted: it prints them, and a run of
// everything keeps them. While working: `--only notice,decision`. The script in package.json keeps this process's own garbage
// collection short: the load, the clocks and LimaCharlie's stand-in are in it, and their pauses are not Cordon's.

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'ingest,notice,decision,full,memory' },
    seconds: { type: 'string', default: '10' },
    events: { type: 'string', default: '1000000' },
    keep: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const seconds = Number(values.seconds);
const wanted = new Set(values.only.split(','));
const report = createReport();

report.say('# Figures');
report.say('');
report.say(
  `One run of \`npm run bench\` on ${cpus().length} cores (${cpus()[0]?.model.trim()}), ${round(totalmem() / 2 ** 30, 0)} GiB, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}; load, broker and services share the machine. Ratios are the useful part.`,
);
await measureSystems();
if (wanted.has('memory')) reportMemory(report, await measureMemory(seconds));
if (values.keep && wanted.size === 5) {
  const file = fileURLToPath(new URL('RESULTS.md', import.meta.url));
  await writeFile(file, report.text());
  await promisify(execFile)('oxfmt', [file]); // the gate looks at it as at any other file
}

/** (a) to (c), and with (d) once more, by turns with a full system. */
async function measureSystems(): Promise<void> {
  if (['notice', 'decision', 'ingest'].every((name) => !wanted.has(name))) return;
  const alone = nothingMeasured();
  {
    await using stage = await setStage();
    await measure([{ stage, figures: alone }]);
  }
  if (wanted.has('ingest')) reportIngest(report, alone.ingest);
  if (wanted.has('notice')) reportNotice(report, alone.notice);
  if (wanted.has('decision')) reportDecision(report, alone.decision);
  if (!wanted.has('full')) return;
  await using broker = await startFullBroker(Number(values.events));
  await using emptyStage = await setStage();
  await using fullStage = await setStage(broker.url);
  const [empty, full] = [nothingMeasured(), nothingMeasured()];
  await measure([
    { stage: emptyStage, figures: empty },
    { stage: fullStage, figures: full },
  ]);
  reportFull(report, { empty, full, ...broker });
}

/** Ingest last: the others would have to catch up with what it stores. */
async function measure(systems: Measured[]): Promise<void> {
  if (wanted.has('notice')) await measureNotice(systems, seconds);
  if (wanted.has('decision')) await measureDecision(systems);
  if (wanted.has('ingest')) await measureIngest(systems, seconds);
}
