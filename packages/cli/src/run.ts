import { readFileSync } from 'node:fs';
import { parseArgs, parseEnv } from 'node:util';
import { type Command, CommandError, contextOf, EXIT, GLOBAL_OPTIONS, type Terminal } from './command.ts';
import { visibleLines } from './visible.ts';

/** Finds the command in `argv`, runs it, and returns the exit code. Every failure is one sentence on `err`. */
export async function run(commands: readonly Command[], argv: string[], terminal: Terminal): Promise<number> {
  try {
    const { values: global } = parseArgs({
      args: argv,
      options: GLOBAL_OPTIONS,
      strict: false,
      allowPositionals: true,
    });
    const words = argv.filter((word) => !word.startsWith('-'));
    const found = find(commands, argv, words);
    if (!found) {
      const family = commands.filter(({ name }) => name.startsWith(`${words[0]} `));
      if (words.length > 0 && family.length === 0) {
        throw new CommandError(EXIT.usage, `There is no command '${words[0]}'. \`cordon --help\` lists them.`);
      }
      terminal.out(overview(words.length === 0 ? commands : family));
      return global.help ? EXIT.ok : EXIT.usage;
    }
    const { command, rest } = found;
    if (global.help) {
      terminal.out(`cordon ${command.name}: ${command.summary}\n\n${command.help.trim()}\n`);
      return EXIT.ok;
    }
    const file = global['env-file'];
    const env = typeof file === 'string' ? { ...fileEnv(file), ...given(terminal.env) } : terminal.env;
    return await command.run(rest, contextOf({ ...terminal, env }, global.json === true));
  } catch (error) {
    if (terminal.signal.aborted) return EXIT.interrupted;
    terminal.err(`${visibleLines(`cordon: ${sentence(error)}`, '')}\n`);
    return error instanceof CommandError ? error.exitCode : EXIT.wrong;
  }
}

type Found = { command: Command; rest: string[] };

/** `dlq list` before `dlq`: the longest name that fits. */
function find(commands: readonly Command[], argv: string[], words: string[]): Found | undefined {
  for (const command of commands.toSorted((a, b) => b.name.length - a.name.length)) {
    const parts = command.name.split(' ');
    if (!parts.every((part, at) => words[at] === part)) continue;
    const rest = [...argv];
    for (const part of parts) rest.splice(rest.indexOf(part), 1);
    return { command, rest };
  }
  return undefined;
}

function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return `cordon <command> [options]

${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}

Every command takes --json (for scripts), --help (options and examples) and --env-file FILE. Settings are those of the
services (.env.example), X_FILE included; NATS_URL is nats://127.0.0.1:4222 unless set.
Exit codes: 0 well, 1 something is wrong, 2 wrong usage, 3 no broker, 4 not found, 130 interrupted.
`;
}

function fileEnv(path: string): Record<string, string | undefined> {
  try {
    return { ...parseEnv(readFileSync(path, 'utf8')) };
  } catch (error) {
    throw new CommandError(EXIT.usage, `--env-file: cannot read ${path}.`, { cause: error });
  }
}

/** An empty variable counts as unset, also against the file. */
function given(env: Terminal['env']): Terminal['env'] {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value));
}

/** What the client says where a stream is asked for that does not exist. */
const NO_TOPOLOGY = new Set([
  'StreamNotFoundError',
  'ConsumerNotFoundError',
  'JetStreamNotEnabled',
  'NoRespondersError',
]);

const NO_RESPONDERS = 503;

function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (NO_TOPOLOGY.has(error.name) || ('code' in error && error.code === NO_RESPONDERS)) {
    return "Cordon's streams are not there yet: start the services, or run `cordon topology --apply`.";
  }
  return error.message;
}
