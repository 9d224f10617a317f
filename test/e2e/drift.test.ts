import { afterAll, beforeAll, expect, test } from 'vitest';
import { limaCharlie } from '@cordon/limacharlie/client';
import { createLogger } from '@cordon/service';
import { readLog } from '../chaos/read-log.ts';
import { eventually } from './person.ts';
import { Story } from './story.ts';

/** An isolated machine is looked after until people release it. */

const NOTICED_MS = 60_000;
let story: Story;
beforeAll(async () => {
  story = await Story.begin({ env: { DRIFT_POLL_SECONDS: '1' } });
});
afterAll(() => story.system.close());

const sid = () => story.parts.machine.sid;
const seen = async (id: string) =>
  (await readLog(story.system.natsUrl))
    .filter(({ type, data }) => /^(isolation|release)\./.test(type) && 'incidentId' in data && data.incidentId === id)
    .map(({ type, data }) => ('code' in data ? `${type} ${data.code}` : type));
/** LimaCharlie's own console, so to say. */
const console = () => {
  const { apiUrl, jwtUrl, oid } = story.parts.limaCharlie;
  const apiKey = story.system.secrets['LIMACHARLIE_API_KEY'] ?? '';
  return limaCharlie({ apiUrl, jwtUrl, oid, apiKey, log: createLogger('console', 'silent') });
};

/** Waits until this is the last that was seen. */
async function noticed(id: string, what: string): Promise<void> {
  await eventually(async () => ((await seen(id)).at(-1) === what ? true : undefined), what, NOTICED_MS);
}

async function isolated(): Promise<string> {
  const id = await story.follow(() => story.attack());
  await story.decide(await story.signedIn('Alice'), id, 'isolate');
  await story.slackSays(id, 'Machine isolated');
  return id;
}

test(
  'a machine that stops being isolated is reported within a minute, and so is its return',
  { timeout: 400_000 },
  async () => {
    const id = await isolated();
    const { limaCharlie: cloud } = story.parts;
    cloud.setIsolated(sid(), false);
    await noticed(id, 'isolation.drifted not_isolated');
    await story.slackSays(id, 'No longer isolated', NOTICED_MS);
    cloud.setIsolated(sid(), true);
    await noticed(id, 'isolation.confirmed');

    // Somebody releases it in LimaCharlie, and takes that back.
    await console().rejoin(sid());
    await noticed(id, 'isolation.drifted withdrawn');
    await console().isolate(sid());
    await noticed(id, 'isolation.confirmed');
    await story.slackSays(id, 'Machine isolated', NOTICED_MS);

    const alice = await story.signedIn('Alice');
    await story.pageSays(alice, id, 'Sensor no longer reports isolated');
    await story.requestRelease(alice, id);
    await noticed(id, 'release.confirmed');
    expect(await seen(id)).toEqual([
      'isolation.requested',
      'isolation.confirmed',
      'isolation.drifted not_isolated',
      'isolation.confirmed',
      'isolation.drifted withdrawn',
      'isolation.confirmed',
      'release.requested',
      'release.accepted',
      'release.confirmed',
    ]);
    expect(story.isolations()).toBe(2); // ours, and the one in the console
  },
);

test('the isolation of an offline machine can be cancelled, and it returns connected', async () => {
  const { limaCharlie: cloud } = story.parts;
  cloud.setOnline(sid(), false);
  const id = await story.follow(() => attackWhileOffline());
  const alice = await story.signedIn('Alice');
  await story.decide(alice, id, 'isolate');
  await story.pageSays(alice, id, 'Isolation pending: machine offline');
  const page = await alice.get(`/approvals/${id}`);
  expect(page.text).toContain('Cancel the isolation of win-srv-07');
  expect((await alice.get(`/approvals/${id}/release`)).text).toContain('Cancel the isolation of win-srv-07?');
  await story.requestRelease(alice, id);
  await story.slackSays(id, 'Machine released');
  cloud.setOnline(sid(), true);
  await eventually(() => cloud.sensors().find((one) => one.sid === sid() && one.online) && true, 'its return');
  expect(cloud.sensors().find((one) => one.sid === sid())).toMatchObject({ isolated: false, shouldIsolate: false });
});

/** The detection came in before the machine went away. */
async function attackWhileOffline(): Promise<void> {
  story.parts.limaCharlie.setOnline(sid(), true);
  await story.attack();
  story.parts.limaCharlie.setOnline(sid(), false);
}
