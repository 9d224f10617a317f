import type { Sensor } from '@cordon/limacharlie';
import { expect, test } from 'vitest';
import { judge } from './judge.ts';
import { type Machine, protectedHosts } from '@cordon/policy';

const sensor: Sensor = {
  sid: 'bb4b30af-5d0c-4c1b-8f3e-f014ada33345',
  hostname: 'win-srv-07.corp.example',
  plat: 268_435_456,
  platformName: 'windows',
  isEndpoint: true,
  online: true,
  isolated: false,
  shouldIsolate: false,
};
const machine = { hostname: 'win-srv-07.corp.example', tags: [], platform: 'windows' };
const limitsFor = (...globs: string[]) => ({
  protectedBy: ({ hostname }: Machine) => (protectedHosts(globs)(hostname) ? 'a test' : undefined),
  dryRun: false,
});
const limits = limitsFor();

test('isolates an endpoint that nothing speaks against', () => {
  expect(judge(sensor, machine, limits)).toEqual({ do: 'isolate' });
});

test('fails on a sensor that LimaCharlie does not know', () => {
  expect(judge(undefined, machine, limits)).toMatchObject({ do: 'fail', code: 'unknown_sensor' });
});

test('refuses what is not a machine', () => {
  expect(judge({ ...sensor, isEndpoint: false }, machine, limits)).toMatchObject({
    do: 'refuse',
    code: 'unsupported_platform',
  });
});

test.each(['WIN-SRV-*', 'win-srv-07', '*.CORP.example', 'win-srv-0[0-9]*', '{dc,win}-srv-07'])(
  'refuses a host protected by %s',
  (glob) => {
    expect(judge(sensor, machine, limitsFor('other', glob))).toMatchObject({ do: 'refuse', code: 'protected_host' });
  },
);

test('a host is protected by the name in the detection as well as by the name LimaCharlie has', () => {
  expect(judge(sensor, { ...machine, hostname: 'DC-1' }, limitsFor('dc-1'))).toMatchObject({ code: 'protected_host' });
  expect(judge({ ...sensor, hostname: 'DC-1' }, machine, limitsFor('dc-1'))).toMatchObject({ code: 'protected_host' });
  expect(judge(sensor, machine, limitsFor('dc-*'))).toEqual({ do: 'isolate' });
});

test('reports what is wished already instead of asking again', () => {
  expect(judge({ ...sensor, shouldIsolate: true }, machine, limits)).toEqual({ do: 'report' });
});

test('a dry run passes every guard and then only says so', () => {
  expect(judge(sensor, machine, { ...limits, dryRun: true })).toMatchObject({ do: 'simulate', code: 'dry_run' });
  expect(judge(undefined, machine, { ...limits, dryRun: true })).toMatchObject({ do: 'fail' });
});
