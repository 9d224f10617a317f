import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { EnvHttpProxyAgent, fetch } from 'undici';

const run = promisify(execFile);

/** Message schedules, which carry Cordon's timers, came with 2.12. */
const OLDEST_USABLE: readonly [number, number] = [2, 12];
const RELEASE = '2.15.1';
const PROGRAM = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';

/** Where a fetched broker is kept: `.cordon/bin` at the root of this repository, which git ignores. */
export const brokerCacheDir = fileURLToPath(new URL('../../../.cordon/bin', import.meta.url));

/**
 * The path of a nats-server that is new enough: the one named by NATS_SERVER_BIN, on PATH, fetched earlier, from the
 * official release, or from the distribution, in this order. Throws an error that tells what was tried.
 */
export async function findNatsServer(
  cacheDir: string = brokerCacheDir,
  env: Record<string, string | undefined> = process.env,
): Promise<string> {
  const named = env['NATS_SERVER_BIN'];
  if (named) {
    // A choice that was made is not silently replaced by another one.
    await requireUsable(named).catch((err: unknown) => {
      throw new Error(`NATS_SERVER_BIN=${named} cannot be used: ${messageOf(err)}`, { cause: err });
    });
    return named;
  }

  const sources: { name: string; find: () => Promise<string> }[] = [
    { name: '`nats-server` on PATH', find: () => onPath(env['PATH'] ?? '') },
    { name: `cache ${cacheDir}`, find: () => requireUsable(join(cacheDir, PROGRAM)) },
    { name: `release ${RELEASE} from github.com`, find: () => fetchInto(cacheDir, fromRelease) },
    { name: 'package of the Linux distribution', find: () => fetchInto(cacheDir, fromDistribution) },
  ];
  const tried: string[] = [];
  for (const { name, find } of sources) {
    try {
      return await find();
    } catch (err) {
      tried.push(`  - ${name}: ${messageOf(err)}`);
    }
  }
  throw new Error(
    `no nats-server ${OLDEST_USABLE.join('.')} or later was found. Tried:\n${tried.join('\n')}\n` +
      'Install nats-server (https://github.com/nats-io/nats-server/releases) and set NATS_SERVER_BIN to its path.',
  );
}

async function requireUsable(program: string): Promise<string> {
  await stat(program);
  const { stdout } = await run(program, ['--version'], { timeout: 10_000 });
  const [, major, minor] = /v(\d+)\.(\d+)/.exec(stdout) ?? [];
  if (major === undefined || minor === undefined) throw new Error(`it does not tell its version: ${stdout.trim()}`);
  const [oldestMajor, oldestMinor] = OLDEST_USABLE;
  const newEnough = Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor);
  if (!newEnough) throw new Error(`version ${major}.${minor} is too old`);
  return program;
}

async function onPath(path: string): Promise<string> {
  let reason = 'not there';
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const program = join(folder, PROGRAM);
    const found = await stat(program).then(
      (stats) => stats.isFile(),
      () => false,
    );
    if (!found) continue;
    try {
      return await requireUsable(program);
    } catch (err) {
      reason = `${program}: ${messageOf(err)}`;
    }
  }
  throw new Error(reason);
}

/** Fetches in a folder of its own and moves the result in one step, so that two processes may do this at once. */
async function fetchInto(cacheDir: string, fetchProgram: (folder: string) => Promise<string>): Promise<string> {
  await mkdir(cacheDir, { recursive: true });
  const folder = await mkdtemp(join(cacheDir, 'fetching-'));
  try {
    const fetched = await fetchProgram(folder);
    await chmod(fetched, 0o755);
    await requireUsable(fetched);
    const program = join(cacheDir, PROGRAM);
    try {
      await rename(fetched, program);
    } catch (err) {
      // Windows does not replace a running program: another process was first, and its copy is as good.
      await requireUsable(program).catch(() => {
        throw err;
      });
    }
    return program;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fromRelease(folder: string): Promise<string> {
  const name = `nats-server-v${RELEASE}-${releasePlatform()}`;
  const archive = `${name}.tar.gz`;
  const base = `https://github.com/nats-io/nats-server/releases/download/v${RELEASE}/`;
  const dispatcher = new EnvHttpProxyAgent({ connect: { timeout: 3_500 } });
  const download = async (file: string, timeoutMs: number): Promise<Buffer> => {
    const response = await fetch(new URL(file, base), { dispatcher, signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) throw new Error(`${file}: HTTP ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  };

  try {
    const sums = (await download('SHA256SUMS', 15_000)).toString();
    const expected = sums
      .split('\n')
      .find((line) => line.trim().endsWith(archive))
      ?.split(/\s+/)[0];
    if (!expected) throw new Error(`SHA256SUMS does not list ${archive}`);
    const bytes = await download(archive, 300_000);
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual !== expected) throw new Error(`${archive} has SHA-256 ${actual}, the release says ${expected}`);
    await writeFile(join(folder, archive), bytes);
  } finally {
    await dispatcher.destroy();
  }
  await run('tar', ['-xzf', archive], { cwd: folder });
  return join(folder, name, PROGRAM);
}

function releasePlatform(): string {
  const systems: Record<string, string> = { linux: 'linux', darwin: 'darwin', win32: 'windows', freebsd: 'freebsd' };
  const processors: Record<string, string> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm7' };
  const system = systems[process.platform];
  const processor = processors[process.arch];
  if (!system || !processor) throw new Error(`no release for ${process.platform} on ${process.arch}`);
  return `${system}-${processor}`;
}

/** Needs neither root nor a change to the system: apt works on private lists, and still checks the signature. */
async function fromDistribution(folder: string): Promise<string> {
  if (process.platform !== 'linux') throw new Error('not Linux');
  const release = await readFile('/etc/os-release', 'utf8');
  const id = /^ID=["']?(\w+)/m.exec(release)?.[1];
  // Stable releases carry a nats-server that is too old, hence the newer suite. The binary needs no newer system.
  const suites: Record<string, [suite: string, component: string]> = {
    debian: ['forky', 'main'],
    ubuntu: ['devel', 'universe'],
  };
  const suite = id ? suites[id] : undefined;
  if (!suite) throw new Error(`neither Debian nor Ubuntu (${id ?? 'unknown'})`);

  const sources = join(folder, 'sources');
  const lists = join(folder, 'lists');
  const cache = join(folder, 'cache');
  await mkdir(sources);
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  const [file, text] = await aptSource(...suite);
  await writeFile(join(sources, file), text);

  const options = [
    `Dir::Etc::sourcelist=/dev/null`,
    `Dir::Etc::sourceparts=${sources}`,
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${cache}`,
    'Acquire::Languages=none',
    'Acquire::http::Timeout=15',
    'Acquire::Retries=1',
    'APT::Sandbox::User=root', // run as root, apt would drop to a user who cannot write into this folder
  ].flatMap((option) => ['-o', option]);
  const limits = { cwd: folder, timeout: 120_000 };
  await run('apt-get', [...options, 'update'], limits);
  await run('apt-get', [...options, 'download', 'nats-server'], limits);
  const packageFile = (await readdir(folder)).find((name) => name.endsWith('.deb'));
  if (!packageFile) throw new Error('apt-get downloaded no package');
  await run('dpkg-deb', ['-x', packageFile, 'unpacked'], limits);
  return join(folder, 'unpacked', 'usr', 'sbin', PROGRAM);
}

/** The machine's own first source, pointed at another suite: same mirror, same key. */
async function aptSource(suite: string, component: string): Promise<[file: string, text: string]> {
  for (const file of ['debian.sources', 'ubuntu.sources']) {
    const stanza = (await readText(`/etc/apt/sources.list.d/${file}`)).trim().split(/\n\s*\n/)[0];
    if (!stanza) continue;
    const text = stanza
      .replace(/^Suites:.*$/im, `Suites: ${suite}`)
      .replace(/^Components:.*$/im, `Components: ${component}`);
    return ['newer.sources', `${text}\n`];
  }
  const line = /^deb\s+(\[[^\]]*\]\s+)?(\S+)\s/m.exec(await readText('/etc/apt/sources.list'));
  if (!line) throw new Error('no package source of the distribution was found below /etc/apt');
  return ['newer.list', `deb ${line[1] ?? ''}${line[2]} ${suite} ${component}\n`];
}

function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

/** One line: a failed fetch hides its reason in `cause`, a failed program in the end of its output. */
function messageOf(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  const cause = err.cause instanceof Error ? ` (${err.cause.message || err.cause.name})` : '';
  return `${err.message.trim().split('\n').slice(0, 3).join(' ')}${cause}`;
}
