import type { Detection } from '@cordon/contracts';
import type { Cutter } from './cut.ts';
import type { DetectionRecord } from './record.ts';

/** Events whose FILE_PATH is the image of the process; elsewhere it may be the file that the process touched. */
const PROCESS_EVENTS: ReadonlySet<string> = new Set([
  'NEW_PROCESS',
  'EXISTING_PROCESS',
  'TERMINATE_PROCESS',
  'NETWORK_CONNECTIONS',
  'SENSITIVE_PROCESS_ACCESS',
]);
/** OCSF file types. */
const UNKNOWN_FILE = 0;
const EXECUTABLE = 8;
/** OCSF's algorithm id by the length of the hash in hex digits: MD5, SHA-1, SHA-256. */
const HASH_ALGORITHMS: ReadonlyMap<number, 1 | 2 | 3> = new Map([
  [32, 1],
  [40, 2],
  [64, 3],
]);

type Process = Detection['evidences'][number]['process'];
type File = NonNullable<Process>['file'];
type ProcessFields = DetectionRecord['event']['PARENT'];

/**
 * The process an event is about, with its parent; nothing where the event tells of none.
 * LimaCharlie docs: everything but FILE_PATH and the pids can be missing. Short-lived processes have no USER_NAME: then
 * it is the parent's, and where that is missing too there is no user.
 */
export function processOf({ event, routing }: DetectionRecord, platform: string, cut: Cutter): Process {
  const { PARENT } = event;
  const process = describe({ ...event, USER_NAME: event.USER_NAME ?? PARENT.USER_NAME }, routing.this, platform, cut);
  const parent = describe(
    { ...PARENT, PROCESS_ID: PARENT.PROCESS_ID ?? event.PARENT_PROCESS_ID },
    PARENT.THIS_ATOM ?? routing.parent,
    platform,
    cut,
  );
  if (!process) return parent && { parent_process: parent };
  const typeId = PROCESS_EVENTS.has(routing.event_type ?? '') ? EXECUTABLE : UNKNOWN_FILE;
  return { ...process, ...(process.file && { file: { ...process.file, type_id: typeId } }), parent_process: parent };
}

function describe(fields: ProcessFields, atom: string | undefined, platform: string, cut: Cutter): Process {
  const { PROCESS_ID, COMMAND_LINE, FILE_PATH, HASH, USER_NAME } = fields;
  if ([atom, PROCESS_ID, COMMAND_LINE, FILE_PATH, HASH, USER_NAME].every((value) => value === undefined))
    return undefined;
  return {
    uid: cut.text(atom, 128),
    pid: PROCESS_ID,
    cmd_line: cut.text(COMMAND_LINE, 32_768),
    user: USER_NAME === undefined ? undefined : { name: cut.text(USER_NAME, 512) },
    file: fileOf(FILE_PATH, HASH, platform, cut),
  };
}

function fileOf(path: string | undefined, hash: string | undefined, platform: string, cut: Cutter): File {
  const hashes = hashesOf(hash);
  if (path === undefined && hashes === undefined) return undefined;
  return {
    name: cut.text(fileName(path ?? '', platform), 512),
    path: cut.text(path, 4096),
    type_id: EXECUTABLE,
    hashes,
  };
}

/** The last part of a path. A backslash separates nothing on Linux and macOS: there it is part of the name. */
function fileName(path: string, platform: string): string {
  const separator = platform === 'linux' || platform === 'macos' ? /\// : /[\\/]/;
  return path.split(separator).at(-1) || path;
}

/** Directory events carry a list under HASH, anonymised samples no hex: neither says anything about one file. */
function hashesOf(hash: string | undefined): NonNullable<File>['hashes'] {
  const algorithm = HASH_ALGORITHMS.get(hash?.length ?? 0);
  if (!hash || algorithm === undefined || !/^[0-9a-f]+$/i.test(hash)) return undefined;
  return [{ algorithm_id: algorithm, value: hash.toLowerCase() }];
}
