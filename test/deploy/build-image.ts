import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { Copy, DockerfileParser, From, type Instruction } from 'dockerfile-ast';
import { readText, ROOT } from './services.ts';

const run = promisify(execFile);

/** What the Dockerfile makes of one service, without Docker: its files in a folder, and how it is started. */
export interface Image extends AsyncDisposable {
  /** Stands for `/` of the image; holds what is copied into it, not the base image. */
  root: string;
  workingDir: string;
  env: Record<string, string>;
  user: string;
  command: string[];
  healthCheck: string[];
  exposed: number[];
}

type Stage = { name: string; base: string; instructions: Instruction[] };

export const DOCKERFILE = readText('deploy/Dockerfile');

/** Carries out the build stage (COPY, RUN) in a temporary folder, and reads the others for what they declare. */
export async function buildImage(service: string): Promise<Image> {
  const parts = readStages(service);
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'cordon-image-')));
  const image: Image = {
    root: join(folder, 'image'),
    workingDir: '/',
    env: {},
    user: 'root',
    command: [],
    healthCheck: [],
    exposed: [],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
  try {
    for (const { instructions } of chainOf(parts.at(-1), parts)) {
      for (const instruction of instructions) await applyToImage(image, instruction, { service, parts, folder });
    }
  } catch (error) {
    await image[Symbol.asyncDispose]();
    throw error;
  }
  return image;
}

/** All stages in order, with the build argument filled in. */
function readStages(service: string): Stage[] {
  const stages: Stage[] = [];
  for (const instruction of DockerfileParser.parse(DOCKERFILE).getInstructions()) {
    if (instruction instanceof From) {
      stages.push({
        name: instruction.getBuildStage() ?? '',
        base: fill(instruction.getImage() ?? '', service),
        instructions: [],
      });
    } else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

/** A stage after everything it is based on. */
function chainOf(stage: Stage | undefined, stages: Stage[]): Stage[] {
  if (!stage) return [];
  return [
    ...chainOf(
      stages.find(({ name }) => name === stage.base),
      stages,
    ),
    stage,
  ];
}

type Build = { service: string; parts: Stage[]; folder: string };

async function applyToImage(image: Image, instruction: Instruction, build: Build): Promise<void> {
  const text = fill(instruction.getArgumentsContent() ?? '', build.service);
  switch (instruction.getKeyword()) {
    case 'ENV':
      for (const [, name = '', value = ''] of text.matchAll(/(\w+)=(\S+)/g)) image.env[name] = value;
      break;
    case 'WORKDIR':
      image.workingDir = text;
      break;
    case 'USER':
      image.user = text;
      break;
    case 'EXPOSE':
      image.exposed.push(...text.split(' ').map(Number));
      break;
    case 'CMD':
      image.command = execForm(text);
      break;
    case 'HEALTHCHECK':
      image.healthCheck = execForm((instruction.getArgumentsContent() ?? '').replace(/^CMD /, ''));
      break;
    case 'COPY': {
      const from = instruction instanceof Copy ? instruction.getFromFlag()?.getValue() : undefined;
      const source = build.parts.find(({ name }) => name === from);
      if (!source) throw new Error(`COPY takes from ${from ?? 'the repository'}, and not from another stage: ${text}`);
      const [path = '', target = ''] = text.split(' ');
      await mkdir(dirname(join(image.root, target)), { recursive: true });
      await rename(join(await carryOut(source, build), path), join(image.root, target));
      break;
    }
    case 'RUN': // on the base image, which is not here
    case 'ARG':
    case 'STOPSIGNAL':
      break;
    default:
      throw new Error(`no test knows what this does: ${instruction.getKeyword()} ${text}`);
  }
}

/** Carries out a stage that builds, and returns the folder that stands for its `/`. */
async function carryOut(stage: Stage, { service, folder }: Build): Promise<string> {
  const root = join(folder, stage.name);
  const tools = join(folder, 'tools');
  await mkdir(tools, { recursive: true });
  const env = { ...process.env, SERVICE: service, CI: 'true', PATH: `${tools}:${process.env['PATH']}` };
  let cwd = root;
  for (const instruction of stage.instructions) {
    const text = instruction.getArgumentsContent() ?? '';
    switch (instruction.getKeyword()) {
      case 'WORKDIR':
        cwd = join(root, text);
        await mkdir(cwd, { recursive: true });
        break;
      case 'COPY':
        await copyFromRepository(text.split(' '), cwd);
        break;
      case 'RUN': {
        const [, tool, version] = /^npm install --global (\w+)@(\S+)$/.exec(text) ?? [];
        if (tool) {
          await symlink(await install(tool, `${tool}@${version}`), join(tools, tool));
        } else await run('sh', ['-c', text.replaceAll('\\\n', '')], { cwd, env });
        break;
      }
      case 'ARG':
        break;
      default:
        throw new Error(`no test knows what this does: ${instruction.getKeyword()} ${text}`);
    }
  }
  return root;
}

/** Installs a command into npm's cache instead of the system, and returns its path. */
async function install(command: string, spec: string): Promise<string> {
  const found = await run('npm', ['exec', '--yes', `--package=${spec}`, '--', 'sh', '-c', `command -v ${command}`]);
  return realpath(found.stdout.trim());
}

async function copyFromRepository(paths: string[], cwd: string): Promise<void> {
  const target = paths.at(-1) ?? '.';
  const isIgnored = readDockerignore();
  for (const path of paths.slice(0, -1)) {
    if (isIgnored(path)) throw new Error(`COPY ${path}: .dockerignore keeps it out`);
    const source = join(ROOT, path);
    const isFolder = (await stat(source)).isDirectory();
    await cp(source, join(cwd, target, isFolder ? '' : basename(path)), {
      recursive: true,
      filter: (from) => !isIgnored(relative(ROOT, from)),
    });
  }
}

/** The last pattern that matches a path, or a folder above it, decides. */
function readDockerignore(): (path: string) => boolean {
  const lines = readText('.dockerignore').split('\n');
  const rules = lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ ignore: !line.startsWith('!'), pattern: patternOf(line.replace(/^!/, '')) }));
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.ignore ?? false;
}

function patternOf(glob: string): RegExp {
  const text = glob.replaceAll('.', '\\.').replaceAll('**/', '\0').replaceAll('*', '[^/]*').replaceAll('\0', '(.*/)?');
  return new RegExp(`^${text}(/|$)`);
}

function fill(text: string, service: string): string {
  return text.replaceAll(/\$\{SERVICE\}|\$SERVICE\b/g, service);
}

function execForm(text: string): string[] {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new Error(`not in exec form: ${text}`);
  return value.map(String);
}
