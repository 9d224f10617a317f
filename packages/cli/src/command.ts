import { parseArgs, type ParseArgsConfig } from 'node:util';
import { type Cell, type Column, table } from './table.ts';
import { inertJson } from './visible.ts';

/** What an exit code says to a script. */
export const EXIT = { ok: 0, wrong: 1, usage: 2, unreachable: 3, notFound: 4, interrupted: 130 } as const;

/** Ends the command with a sentence that says what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;
  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The world outside of a command. */
export type Terminal = {
  env: Record<string, string | undefined>;
  out: (text: string) => void;
  err: (text: string) => void;
  /** Columns of the terminal that reads `out`; undefined for a file or a pipe. */
  columns: number | undefined;
  /** Whether somebody sits there and can be asked. */
  isInteractive: boolean;
  ask(question: string): Promise<string>;
  /** Ctrl-C. */
  signal: AbortSignal;
};

/** What a command works with. */
export type Context = Terminal & {
  /** For scripts: nothing but JSON on `out`. */
  json: boolean;
  /** Rows as a table, or the values as one JSON document. */
  show(values: readonly unknown[], columns: readonly Column[], rows: readonly (readonly Cell[])[], empty: string): void;
  printJson(value: unknown): void;
  /** Says how far a long work has got; the last call clears the line. */
  progress(text?: string): void;
};

export type Command = {
  name: string;
  summary: string;
  /** Options and examples, as `--help` shows them. */
  help: string;
  run(args: string[], context: Context): Promise<number>;
};

/** Understood by every command. */
export const GLOBAL_OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  'env-file': { type: 'string' },
} as const;

/** The options and arguments of a command. Throws `CommandError` where they are not what it takes. */
export function parse<const Options extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: Options) {
  try {
    return parseArgs({ args, options: { ...options, ...GLOBAL_OPTIONS }, allowPositionals: true });
  } catch (error) {
    throw new CommandError(EXIT.usage, error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** A whole number of an option, or nothing where it was left out. */
export function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new CommandError(EXIT.usage, `--${name} takes a whole number, not '${text}'.`);
  return Number(text);
}

/** Asks before something that cannot be undone. In a script, `--yes` is the answer. */
export async function confirm(context: Context, yes: boolean | undefined, what: string, answer: string): Promise<void> {
  if (yes) return;
  if (!context.isInteractive)
    throw new CommandError(EXIT.usage, `${what} Say --yes to go on: nobody can be asked here.`);
  const said = await context.ask(`${what} Type ${answer} to go on: `);
  if (said.trim() !== answer) throw new CommandError(EXIT.interrupted, 'Nothing was changed.');
}

/** The context of one command. */
export function contextOf(terminal: Terminal, json: boolean): Context {
  const { out, err, columns, isInteractive } = terminal;
  let shown = 0;
  const printJson = (value: unknown): void => out(`${inertJson(value, 2)}\n`);
  return {
    ...terminal,
    json,
    printJson,
    show(values, titles, rows, empty) {
      if (json) printJson(values);
      else out(rows.length === 0 ? `${empty}\n` : table(titles, rows, columns));
    },
    progress(text = '') {
      if (!isInteractive || json) return;
      err(`\r${text.padEnd(shown)}${text === '' ? '\r' : ''}`);
      shown = text.length;
    },
  };
}
