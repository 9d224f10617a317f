import type { Sensor } from '@cordon/limacharlie';
import { protectedHosts } from '@cordon/policy';
import { expect, test } from 'vitest';
import { judge } from './judge.ts';

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
const fresh = { hostname: 'win-srv-07.corp.example', decisionAgeMs: 1000 };
const limits = { isProtected: protectedHosts([]), decisionMaxAgeMs: 60_000, dryRun: false };

test('isolates an endpoint that nothing speaks against', () => {
  expect(judge(sensor, fresh, limits)).toEqual({ do: 'isolate' });
});

test('fails on a sensor that LimaCharlie does not know', () => {
  expect(judge(undefined, fresh, limits)).toMatchObject({ do: 'fail', code: 'unknown_sensor' });
});

test('refuses what is not a machine', () => {
  expect(judge({ ...sensor, isEndpoint: false }, fresh, limits)).toMatchObject({
    do: 'refuse',
    code: 'unsupported_platform',
  });
});

test.each(['WIN-SRV-*', 'win-srv-07', '*.CORP.example', 'win-srv-0[0-9]*', '{dc,win}-srv-07'])(
  'refuses a host protected by %s',
  (glob) => {
    const isProtected = protectedHosts(['other', glob]);
    expect(judge(sensor, fresh, { ...limits, isProtected })).toMatchObject({ do: 'refuse', code: 'protected_host' });
  },
);

test('a host is protected by the name in the detection as well as by the name LimaCharlie has', () => {
  const isProtected = protectedHosts(['dc-1']);
  expect(judge(sensor, { ...fresh, hostname: 'DC-1' }, { ...limits, isProtected })).toMatchObject({
    code: 'protected_host',
  });
  expect(judge(sensor, fresh, { ...limits, isProtected: protectedHosts(['dc-*']) })).toEqual({ do: 'isolate' });
});

test('reports what is wished already instead of asking again, however late', () => {
  expect(judge({ ...sensor, shouldIsolate: true }, { ...fresh, decisionAgeMs: 999_999 }, limits)).toEqual({
    do: 'report',
  });
});

test('refuses to act on an old decision', () => {
  expect(judge(sensor, { ...fresh, decisionAgeMs: 60_001 }, limits)).toMatchObject({
    do: 'refuse',
    code: 'stale_decision',
  });
});

test('a dry run passes every guard and then only says so', () => {
  expect(judge(sensor, fresh, { ...limits, dryRun: true })).toMatchObject({ do: 'simulate', code: 'dry_run' });
  expect(judge(undefined, fresh, { ...limits, dryRun: true })).toMatchObject({ do: 'fail' });
});
