import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// `npm test`: everything that proves Cordon, in order of how fast it fails. Ends with one line that counts.

const root = fileURLToPath(new URL('..', import.meta.url));
const artifacts = `${root}test/artifacts`;
mkdirSync(artifacts, { recursive: true });

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const totals = { passed: 0, failed: 0, skipped: 0 };
const skipped: string[] = [];
const failures: string[] = [];

await check('format', ['oxfmt', '--check', '.']);
await check('lint', ['oxlint', '--type-aware', '--deny-warnings']);
await check('types', ['tsc', '--noEmit']);
// Pure rules, handlers on a real broker, adapters and routes over real sockets: mostly waiting, so two at a time.
await suite('unit', ['--maxWorkers=2']);
await suite('system'); // all of Cordon as processes: scenarios, crashes, real browser

if (skipped.length > 0)
  say(`\nSkipped on this machine, with the reason:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
if (failures.length > 0)
  say(`\nFailed:\n${failures.map((failure) => `  ${failure.replaceAll('\n', '\n    ')}`).join('\n')}`);
say(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed === 0 ? 0 : 1);

async function run(command: string[]): Promise<number> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd: root, stdio: 'inherit' });
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
    child.once('error', (error) => {
      say(error.message);
      resolve(1);
    });
  });
}

async function check(name: string, command: string[]): Promise<void> {
  say(`\n== ${name}: ${command.join(' ')}`);
  if ((await run(command)) === 0) totals.passed++;
  else {
    totals.failed++;
    failures.push(name);
  }
}

type Results = { testResults: FileResult[] };
type FileResult = { name: string; status: string; message: string; assertionResults: TestResult[] };
type TestResult = { status: string; fullName: string; failureMessages?: string[] };

async function suite(project: string, more: string[] = []): Promise<void> {
  const command = [
    'vitest',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${artifacts}/${project}.json`,
    ...more,
  ];
  say(`\n== ${project} tests`);
  const code = await run(command);
  const report = `${artifacts}/${project}.json`;
  const results: Results = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { testResults: [] };
  const tests = results.testResults.flatMap((file) => file.assertionResults);
  const notRun = tests.filter(
    (test) => test.status === 'pending' || test.status === 'skipped' || test.status === 'todo',
  );
  const failed = results.testResults.flatMap(failuresIn);
  if (failed.length === 0 && code !== 0) failed.push(`${project} tests: exit code ${code}`);
  totals.passed += tests.filter((test) => test.status === 'passed').length;
  totals.failed += failed.length;
  failures.push(...failed);
  totals.skipped += notRun.length;
  skipped.push(...notRun.map((test) => test.fullName));
}

/** What is to be read at the end, where nobody has to look for it: each failed test, or the file that none of its tests explains. */
function failuresIn({ name, status, message, assertionResults }: FileResult): string[] {
  const tests = assertionResults.filter((test) => test.status === 'failed');
  if (tests.length === 0) return status === 'failed' ? [`${name.replace(root, '')}\n${message}`] : [];
  return tests.map(({ fullName, failureMessages = [] }) => `${fullName}\n${failureMessages.join('\n')}`);
}
