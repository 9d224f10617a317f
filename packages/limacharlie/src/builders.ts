import { type RawRecord, sha256 } from '@cordon/contracts';

/** For tests: a valid detection record in the nested shape; `changes` replaces top-level fields. */
export function aRecord(changes: Record<string, unknown> = {}) {
  return {
    cat: 'HackTool - LaZagne',
    detect: { event: anEvent() },
    detect_id: '821423db-3868-46c9-9f4b-2bb2694744f1',
    gen_time: 1_766_278_385_098,
    routing: aRouting(),
    ...changes,
  };
}

/** For tests: the event of a NEW_PROCESS record. */
export function anEvent(changes: Record<string, unknown> = {}) {
  return {
    COMMAND_LINE: '"C:\\Temp\\LaZagne.exe" all',
    FILE_PATH: 'C:\\Temp\\LaZagne.exe',
    HASH: '3cc5ee93a9ba1fc57389705283b760c8bd61f35e9398bbfa3210e2becf6d4b05',
    PARENT: { FILE_PATH: 'C:\\Windows\\explorer.exe', PROCESS_ID: 988, USER_NAME: 'LAB\\parent' },
    PROCESS_ID: 3044,
    USER_NAME: 'LAB\\analyst',
    ...changes,
  };
}

/** For tests: the routing of a Windows sensor. */
export function aRouting(changes: Record<string, unknown> = {}) {
  return {
    arch: 2,
    event_time: 1_766_278_384_540,
    event_type: 'NEW_PROCESS',
    hostname: 'workstation-01',
    int_ip: '10.0.0.10',
    oid: 'e4e9df0b-8bc8-4ba5-a328-7a402e66dc3d',
    plat: 268_435_456,
    sid: '5ce9cab7-09f6-4e5d-b895-c173451f2a0d',
    this: '8711162f5a10918ba4f8d704694744f1',
    ...changes,
  };
}

/** For tests: a record as it was received. */
export function rawOf(record: unknown): RawRecord {
  const body = JSON.stringify(record) ?? 'undefined';
  return { media_type: 'application/json', sha256: sha256(body), size: Buffer.byteLength(body), body };
}
