import { Person } from '../e2e/person.ts';

const POSTS_EACH = 10;
let addresses = 0;

/**
 * One person with as many sessions as it takes: the page lets a session decide 10 times a minute, and an address sign in 60
 * times. The system has to trust the proxy that the addresses come through.
 */
export function tireless(url: string, name: string): (posts?: number) => Promise<Person> {
  let session: Promise<Person> | undefined;
  let left = 0;
  return async (posts = 1) => {
    if (!session || left < posts) {
      session = signedIn(url, name);
      left = POSTS_EACH;
    }
    left -= posts;
    return session;
  };
}

async function signedIn(url: string, name: string): Promise<Person> {
  addresses++;
  const person = new Person(url, { 'x-forwarded-for': `10.0.${addresses >> 8}.${addresses & 255}` });
  const page = await person.signIn(name);
  if (page.status !== 200) throw new Error(`${name} cannot sign in: ${page.status} ${page.text}`);
  return person;
}

/** Does something about every entry, at most `lanes` at once. */
export async function inLanes<T>(entries: readonly T[], lanes: number, act: (entry: T, lane: number) => Promise<void>) {
  const rest = entries.values();
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (const entry of rest) await act(entry, lane);
    }),
  );
}
