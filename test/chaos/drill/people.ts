import { setTimeout as delay } from 'node:timers/promises';
import { type Page, Person } from '../../e2e/person.ts';
import type { Answer, Name } from './habits.ts';
import type { Random } from './random.ts';
import type { Stage } from './stage.ts';

type Outcome = 'isolate' | 'leave';
/** What the page told somebody after the last click: this was taken. */
export type Told = { incidentId: string; subject: string; outcome: Outcome };

/** People who answer questions while everything around them breaks. */
export type People = {
  told: Told[];
  /** Last clicks, whatever was answered. */
  pressed: number;
  /** Clicks that did not get through, and by what. */
  refused: Map<string, number>;
  /** Whether no question is open, not even one that they leave to expire. */
  idle(): boolean;
  stop(): Promise<void>;
};

type Session = { name: Name; person: Person; signedInAt: number; posts: number[] };
const SUBJECTS: Record<Name, string> = { Alice: 'alice', Bob: 'bob' };

const LOOK_MS = 1000;
/** The page takes 10 reviews and 10 decisions a minute of one session, and a sign-in is fresh for five minutes. */
const POSTS_MAX = 16;
const MINUTE_MS = 60_000;
const FRESH_MS = 4 * MINUTE_MS;

/** Starts people who look at the front page every second and answer what they find, each machine after its habit. */
export function startPeople({ system, hosts }: Stage, chance: Random): People {
  const answersTo = new Map(hosts.map(({ hostname, habit }) => [hostname, habit.answers]));
  const sessions: Session[] = [];
  const inHand = new Map<string, Promise<void>>();
  const seen = new Set<string>();
  const stopping = new AbortController();
  let isIdle = false;
  const people: People = {
    told: [],
    pressed: 0,
    refused: new Map(),
    idle: () => isIdle && inHand.size === 0,
    async stop() {
      stopping.abort();
      await looking;
      await Promise.all(inHand.values());
    },
  };
  const looking = keepLooking();
  return people;

  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      isIdle = false;
      await look().catch(failed);
      await delay(LOOK_MS);
    }
  }

  async function look(): Promise<void> {
    const { person } = await session('Alice', 0);
    const page = await person.get('/');
    if (page.status !== 200) throw new Error(`front page ${page.status}`);
    const open = questionsOn(page);
    for (const { id, hostname } of open) {
      const answers = answersTo.get(hostname) ?? [];
      if (inHand.has(id) || answers.length === 0) continue;
      const answering = answer(id, answers)
        .catch(failed)
        .finally(() => inHand.delete(id));
      inHand.set(id, answering);
    }
    isIdle = open.length === 0;
  }

  async function answer(id: string, answers: readonly Answer[]): Promise<void> {
    if (!seen.has(id)) await delay(chance.whole(0, 3000)); // people read first
    seen.add(id);
    const ready = await Promise.all(answers.map(async (one) => ({ ...one, press: await review(id, one) })));
    await Promise.all(
      ready.map(async ({ name, outcome, laterMs = 0, press }) => {
        if (laterMs > 0) await delay(laterMs);
        people.pressed++;
        const page = await press();
        const isTaken = page.status === 200 && page.url.pathname === `/approvals/${id}`; // where a taken answer leads to
        if (isTaken) people.told.push({ incidentId: id, subject: SUBJECTS[name], outcome });
        else note(`decide ${page.status}`);
      }),
    );
  }

  /** Everything up to the last click. */
  async function review(id: string, { name, outcome }: Answer): Promise<() => Promise<Page>> {
    const { person } = await session(name, 2);
    const question = (await person.get(`/approvals/${id}`)).form(/review/);
    const confirm = await person.post(question.action, { ...question.fields, choice: outcome, reason: 'fire drill' });
    const decision = confirm.form(/decide/);
    return () => person.post(decision.action, decision.fields);
  }

  async function session(name: Name, posts: number): Promise<Session> {
    const now = Date.now();
    const isUsable = (one: Session): boolean => {
      one.posts = one.posts.filter((at) => at > now - MINUTE_MS);
      return one.name === name && now - one.signedInAt < FRESH_MS && one.posts.length + posts <= POSTS_MAX;
    };
    let found = sessions.find(isUsable);
    if (!found) {
      const person = new Person(system.approvalUrl);
      const page = await person.signIn(name);
      if (page.status !== 200) throw new Error(`sign-in ${page.status}`);
      found = { name, person, signedInAt: now, posts: [] };
      sessions.push(found);
    }
    for (let post = 0; post < posts; post++) found.posts.push(now);
    return found;
  }

  function failed(error: unknown): void {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    note(cause instanceof Error && 'code' in cause ? String(cause.code) : (message.split(/[\n:]/)[0] ?? ''));
  }

  function note(what: string): void {
    const short = what.replace(/[0-9a-f]{32}/g, '…').slice(0, 60);
    people.refused.set(short, (people.refused.get(short) ?? 0) + 1);
  }
}

/** The questions on the front page that wait for an answer. */
function questionsOn(page: Page): { id: string; hostname: string }[] {
  return page.body.split('<li>').flatMap((item) => {
    const id = /\/approvals\/([0-9a-f]{32})/.exec(item)?.[1];
    const hostname = /drill-\d+-[a-z]+/.exec(item)?.[0];
    return id && hostname && /class="pill asked"/.test(item) ? [{ id, hostname }] : [];
  });
}
