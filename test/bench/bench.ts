import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureDecision, reportDecision } from './decision.ts';
import { measureBoth, reportFull } from './full.ts';
import { measureIngest, reportIngest } from './ingest.ts';
import { measureMemory, reportMemory } from './memory.ts';
import { measureNotice, reportNotice } from './notice.ts';
import { createReport, round } from './report.ts';
import { setStage } from './stage.ts';

// `npm run bench`: the figures, each beside a baseline of the same run. Nothing is asserted: it prints them, and a run of
// everything keeps them. While working: `--only notice,decision`. The script in package.json keeps this process's own garbage
// collection short: the load, the clocks and LimaCharlie's stand-in are in it, and their pauses are not Cordon's.

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'ingest,notice,decision,full,memory' },
    seconds: { type: 'string', default: '10' },
    events: { type: 'string' },
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
if (wanted.has('full')) {
  const both = await measureBoth(seconds, values.events === undefined ? undefined : Number(values.events));
  reportIngest(report, both.empty.ingest);
  reportNotice(report, both.empty.notice);
  reportDecision(report, both.empty.decision);
  reportFull(report, both);
} else {
  await using stage = await setStage();
  if (wanted.has('decision')) reportDecision(report, await measureDecision(stage));
  if (wanted.has('notice')) reportNotice(report, await measureNotice(stage, seconds));
  if (wanted.has('ingest')) {
    const figures = { bare: [], cordon: [] };
    await measureIngest([{ system: stage.system, figures }], seconds);
    reportIngest(report, figures);
  }
}
if (wanted.has('memory')) reportMemory(report, await measureMemory(seconds));
if (values.keep && wanted.size === 5)
  await writeFile(fileURLToPath(new URL('RESULTS.md', import.meta.url)), report.text());
