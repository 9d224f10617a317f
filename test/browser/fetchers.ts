import { type Form, type Page, Person } from '../e2e/person.ts';
import { filled, harvest, REASON } from './harvest.ts';

/** What the fetchers are let loose on, and what they may have got hold of. */
export type World = {
  base: string;
  /** Every link in every message, and on every page that anybody gets to from there. */
  links: readonly string[];
  /** Those in the messages alone. */
  told: readonly string[];
  /** Every form that an approver was shown, with its hidden fields. */
  forms: readonly Form[];
};

/** One kind of machine that opens links: how it does it is all that differs. */
export type Fetcher = { name: string; loose: (world: World) => Promise<Page[]> };

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36';
const NAVIGATION = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
const VARIANTS: Record<string, Record<string, string | undefined>> = {
  'with Origin': {},
  'without Origin': { origin: undefined, 'sec-fetch-site': undefined },
  'with Origin null': { origin: 'null' },
};

let addresses = 0;
/** Scanners come from many addresses: a limit per address is no defence, and must not be what passes the test. */
export function anAddress(): string {
  const number = ++addresses;
  return `198.18.${number >> 8}.${number & 255}`;
}

/** Somebody whom the service has never seen. */
export function stranger(base: string, headers: Record<string, string> = {}): Person {
  return new Person(base, { 'user-agent': CHROME, 'x-forwarded-for': anAddress(), ...headers });
}

/** A session of this person that nobody else uses. */
export async function session(base: string, name: string): Promise<Person> {
  const person = stranger(base);
  await person.signIn(name);
  return person;
}

/** Sends one request to each link and follows where it is led to, sign-in page included. */
function asks(name: string, headers: Record<string, string> = {}, ...methods: string[]): Fetcher {
  return {
    name,
    loose: ({ base, links }) =>
      inTurn(links, async (link) => {
        const visitor = stranger(base, headers);
        return inTurn(methods.length > 0 ? methods : ['GET'], (method) => visitor.request(method, link));
      }),
  };
}

/** Adds to the link what could make a GET an answer. */
function asksFor(name: string, suffix: string, headers: Record<string, string> = {}): Fetcher {
  return {
    name,
    loose: ({ base, links }) =>
      inTurn(links, (link) => stranger(base, headers).get(`${link}${link.includes('?') ? '&' : '?'}${suffix}`)),
  };
}

/** Opens each link with somebody's session and does nothing there. */
function opensAs(who: string, name: string, headers: Record<string, string>, ...methods: string[]): Fetcher {
  return {
    name,
    async loose({ base, links }) {
      const person = await session(base, who);
      return inTurn(links, (link) => inTurn(methods, (method) => person.request(method, link, headers)));
    },
  };
}

/** Submits every form it finds with whatever hidden fields it has. */
function submits(name: string, headers: Record<string, string | undefined>): Fetcher {
  return {
    name,
    loose: ({ base, links }) =>
      inTurn(links, async (link) => {
        const visitor = stranger(base);
        const page = await visitor.get(link);
        if (page.url.origin !== base) return [page]; // the provider's sign-in page: real ones ask for a password
        const answers = await inTurn(page.forms(), (form) => visitor.post(form.action, filled(form), headers));
        return [page, ...answers, await visitor.post(link, { choice: 'isolate', reason: REASON }, headers)];
      }),
  };
}

/** Submits forms as an approver was shown them, without being one. */
function repeats(name: string, headers: Record<string, string | undefined>, who?: string): Fetcher {
  return {
    name,
    loose: ({ base, forms }) =>
      inTurn(forms, async (form) => {
        const visitor = who === undefined ? stranger(base) : await session(base, who);
        return visitor.post(form.action, filled(form), headers);
      }),
  };
}

/** Makes an approver's browser submit its own forms from another site: session and hidden fields are the right ones. */
function forges(name: string, headers: Record<string, string | undefined>): Fetcher {
  return {
    name,
    async loose({ base, told }) {
      const person = await session(base, 'Alice');
      const { forms } = await harvest(person, told);
      const last = forms.filter(({ action }) => action === '/logout'); // whoever is signed out has nothing to lose
      return inTurn([...forms.filter((form) => !last.includes(form)), ...last], (form) =>
        person.post(form.action, filled(form), headers),
      );
    },
  };
}

export const FETCHERS: Fetcher[] = [
  asks('HEAD, as link checkers do', {}, 'HEAD'),
  asks('GET, and nothing else about it', { 'user-agent': 'curl/8.16.0', accept: '*/*' }),
  asks('HEAD, then GET', {}, 'HEAD', 'GET'),
  asks('GET on arrival, and again when it is clicked', NAVIGATION, 'GET', 'GET'),
  asks('a prefetch of the old kind', { purpose: 'prefetch', 'x-purpose': 'preview', 'x-moz': 'prefetch' }),
  asks('a prefetch', { ...NAVIGATION, 'sec-purpose': 'prefetch' }),
  asks('a prerender', { ...NAVIGATION, 'sec-purpose': 'prefetch;prerender', 'sec-fetch-user': '?1' }),
  asks('Slack', {
    'user-agent': 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
    range: 'bytes=0-32768',
  }),
  asks('Facebook', { 'user-agent': 'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)' }),
  asks('Twitter', { 'user-agent': 'Twitterbot/1.0' }),
  asks('Discord', { 'user-agent': 'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)' }),
  asks('Teams', { 'user-agent': `${CHROME} SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com` }),
  asks('Outlook SafeLinks', { 'user-agent': `${CHROME} Edg/156.0`, ...NAVIGATION }, 'HEAD', 'GET', 'GET'),
  asks('Mimecast', { 'user-agent': CHROME, via: '1.1 mimecast', 'x-mimecast-scan': '1' }, 'GET', 'POST'),
  asks('Proofpoint', { 'user-agent': 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15' }, 'GET', 'GET'),
  asks('Barracuda', { 'user-agent': 'BarracudaCentral/1.0' }, 'HEAD', 'GET'),
  asks('a search engine', { 'user-agent': 'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)' }),
  asks('a range of the page', { range: 'bytes=0-0' }),
  asks(
    'OPTIONS, before a request across origins',
    {
      origin: 'https://other.example',
      'access-control-request-method': 'POST',
    },
    'OPTIONS',
  ),
  asks('POST, PUT, PATCH and DELETE to the link', {}, 'POST', 'PUT', 'PATCH', 'DELETE'),
  asks('methods in disguise', { 'x-http-method-override': 'POST', 'x-method-override': 'POST' }),
  asks('a session cookie that somebody made up', { cookie: '__Host-cordon_sid=made-up.signature' }),
  asksFor('the answer in the address', `choice=isolate&reason=${encodeURIComponent(REASON)}&confirm=1&_method=POST`),
  asksFor('a code and a state for the callback', 'code=made-up&state=made-up', NAVIGATION),
  ...Object.entries(VARIANTS).flatMap(([how, headers]) => [
    submits(`every form it finds, ${how}`, headers),
    repeats(`every form that an approver was shown, ${how}`, headers),
    repeats(`a viewer, with every form that an approver was shown, ${how}`, headers, 'Victor'),
  ]),
  opensAs('Victor', "a viewer's session", {}, 'HEAD', 'GET'),
  opensAs('Alice', "a prefetch with an approver's session", { 'sec-purpose': 'prefetch' }, 'HEAD', 'GET'),
  opensAs('Alice', "the wrong methods with an approver's session", {}, 'OPTIONS', 'PUT', 'DELETE'),
  forges("another site, with an approver's session", {
    origin: 'https://other.example',
    'sec-fetch-site': 'cross-site',
  }),
  forges("a sister site, with an approver's session", { origin: undefined, 'sec-fetch-site': 'same-site' }),
  forges("nobody knows where from, with an approver's session", { origin: undefined, 'sec-fetch-site': undefined }),
  forges("a sandboxed frame, with an approver's session", { origin: 'null', 'sec-fetch-site': undefined }),
];

/** One after the other, as far as it goes. */
async function inTurn<T>(items: readonly T[], act: (item: T) => Promise<Page | Page[]>): Promise<Page[]> {
  const pages: Page[] = [];
  for (const item of items) pages.push(...[await act(item)].flat());
  return pages;
}
