import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { EventRecord } from '@cordon/rules';
import type { Sensor } from './limacharlie-sensors.ts';

/** One process of the virtual machine, with what a sensor can say about it. */
export type Process = {
  filePath: string;
  commandLine: string;
  hash: string;
  signed: boolean;
  userName: string;
  startedAt: number;
  processId: number;
  atom: string;
  baseAddress: number;
  memoryUsage: number;
  threads: number;
  parent: Process | undefined;
};

type Start = Pick<Process, 'filePath' | 'commandLine' | 'hash' | 'signed' | 'userName' | 'startedAt' | 'parent'>;

export function startProcess(start: Start): Process {
  return {
    ...start,
    processId: randomInt(200, 4000) * 4, // Windows counts in fours
    atom: atomAt(start.startedAt),
    baseAddress: 0x7ff600000000 + randomInt(0x10000) * 0x10000,
    memoryUsage: randomInt(1000, 4000) * 4096,
    threads: randomInt(1, 6),
  };
}

/** The hash of a program that exists only here: the same for the same name. */
export function madeUpHash(name: string): string {
  return createHash('sha256').update(name.toLowerCase()).digest('hex');
}

/**
 * A NEW_PROCESS record as a sensor sends it.
 *
 * `brief` leaves out what the sensor could not read in time, as for a process that is over at once (public LimaCharlie
 * detections of LaZagne runs: the second process has 7 event fields, the first has 11).
 */
export function newProcess(process: Process, sensor: Sensor, oid: string, { brief }: { brief: boolean }): EventRecord {
  const { parent } = process;
  return {
    event: {
      ...(brief ? {} : { BASE_ADDRESS: process.baseAddress }),
      COMMAND_LINE: process.commandLine,
      FILE_IS_SIGNED: process.signed ? 1 : 0,
      FILE_PATH: process.filePath,
      HASH: process.hash,
      ...(brief ? {} : { MEMORY_USAGE: process.memoryUsage }),
      ...(parent ? { PARENT: parentBlock(parent), PARENT_PROCESS_ID: parent.processId } : {}),
      PROCESS_ID: process.processId,
      ...(brief ? {} : { THREADS: process.threads, USER_NAME: process.userName }),
    },
    routing: {
      arch: sensor.arch,
      did: '',
      event_id: randomUUID(),
      event_time: process.startedAt,
      event_type: 'NEW_PROCESS',
      ext_ip: sensor.externalIp,
      hostname: sensor.hostname.toLowerCase(),
      iid: sensor.iid,
      int_ip: sensor.internalIp,
      latency: 0,
      moduleid: 2,
      oid,
      ...(parent ? { parent: parent.atom } : {}),
      plat: sensor.plat,
      sid: sensor.sid,
      tags: sensor.tags,
      this: process.atom,
    },
  };
}

function parentBlock(process: Process) {
  return {
    BASE_ADDRESS: process.baseAddress,
    COMMAND_LINE: process.commandLine,
    FILE_IS_SIGNED: process.signed ? 1 : 0,
    FILE_PATH: process.filePath,
    HASH: process.hash,
    MEMORY_USAGE: process.memoryUsage,
    PARENT_ATOM: process.parent?.atom ?? atomAt(process.startedAt),
    PARENT_PROCESS_ID: process.parent?.processId ?? 4,
    PROCESS_ID: process.processId,
    THIS_ATOM: process.atom,
    THREADS: process.threads,
    TIMESTAMP: process.startedAt,
    USER_NAME: process.userName,
  };
}

/** 32 hex characters of which the last 8 are the time in seconds, as in every real record. */
function atomAt(at: number): string {
  return (
    randomBytes(12).toString('hex') +
    Math.floor(at / 1000)
      .toString(16)
      .padStart(8, '0')
  );
}
