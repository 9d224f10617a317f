import { setTimeout as delay } from 'node:timers/promises';

/** A person at the approval page, without a browser: cookies, forms and redirects, nothing else. */
export class Person {
  readonly #cookies = new Map<string, Map<string, string>>();
  readonly base: string;
  readonly #always: Record<string, string>;
  /** `always` are headers of every request, as of a browser or a proxy. */
  constructor(base: string, always: Record<string, string> = {}) {
    this.base = base;
    this.#always = always;
  }

  async get(url: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.request('GET', url, headers);
  }

  /** Posts a form as a browser does: with Origin and fetch metadata. */
  async post(
    url: string,
    form: Record<string, string>,
    headers: Record<string, string | undefined> = {},
  ): Promise<Page> {
    const origin = new URL(url, this.base).origin;
    const given = {
      origin,
      'sec-fetch-site': 'same-origin',
      'content-type': 'application/x-www-form-urlencoded',
      ...headers,
    };
    const present = Object.fromEntries(
      Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
    return this.request('POST', url, present, new URLSearchParams(form).toString());
  }

  async request(method: string, url: string, headers: Record<string, string> = {}, body?: string): Promise<Page> {
    let target = new URL(url, this.base);
    let [verb, content, sent] = [method, body, headers];
    for (let hop = 0; hop < 15; hop++) {
      const jar = this.#jar(target.port);
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await fetch(target, {
        method: verb,
        redirect: 'manual',
        headers: { ...this.#always, ...sent, ...(cookie && { cookie }) },
        ...(content !== undefined && { body: content }),
      });
      for (const line of response.headers.getSetCookie()) this.#keep(jar, line);
      const location = response.headers.get('location');
      if (response.status >= 300 && response.status < 400 && location) {
        await response.arrayBuffer();
        target = new URL(location, target);
        [verb, content, sent] = [verb === 'HEAD' ? 'HEAD' : 'GET', undefined, {}];
        continue;
      }
      return new Page(target, response.status, response.headers, await response.text());
    }
    throw new Error(`too many redirects from ${url}`);
  }

  /** Signs in at the identity provider's one-click page as the person whose button has this name. */
  async signIn(name: string, to = '/'): Promise<Page> {
    const chooser = await this.get(`/login?to=${encodeURIComponent(to)}`);
    const button = [...chooser.body.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/g)].find(([, , text = '']) =>
      text.includes(name),
    );
    const form = chooser.forms()[0];
    if (!button || !form) throw new Error(`no button for ${name} on ${chooser.url.href}:\n${chooser.body}`);
    const [, tag = ''] = button;
    return this.post(new URL(form.action, chooser.url).href, {
      ...form.fields,
      [attribute(tag, 'name')]: attribute(tag, 'value'),
    });
  }

  cookieNames(port = new URL(this.base).port): string[] {
    return [...this.#jar(port).keys()];
  }

  cookie(name: string): string | undefined {
    return this.#jar(new URL(this.base).port).get(name);
  }

  setCookie(name: string, value: string): void {
    this.#jar(new URL(this.base).port).set(name, value);
  }

  #jar(port: string): Map<string, string> {
    const jar = this.#cookies.get(port) ?? new Map<string, string>();
    this.#cookies.set(port, jar);
    return jar;
  }

  #keep(jar: Map<string, string>, line: string): void {
    const [pair = '', ...attributes] = line.split(';');
    const name = pair.slice(0, pair.indexOf('=')).trim();
    const value = pair.slice(pair.indexOf('=') + 1);
    const gone = attributes.some((attribute) => /^\s*(max-age=0|expires=Thu, 01 Jan 1970)/i.test(attribute));
    if (gone) jar.delete(name);
    else jar.set(name, value);
  }
}

export type Form = {
  action: string;
  method: string;
  fields: Record<string, string>;
  /** What is left to fill in: the values to choose from, none where anything may be written. */
  blanks: Record<string, string[]>;
  text: string;
};

export class Page {
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  constructor(url: URL, status: number, headers: Headers, body: string) {
    this.url = url;
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  get text(): string {
    return unescape(this.body.replace(/<(script|style)[\s\S]*?<\/\1>/g, '').replace(/<[^>]+>/g, ' '))
      .replace(/\s+/g, ' ')
      .trim();
  }

  forms(): Form[] {
    return [...this.body.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, tag = '', inside = '']) => ({
      action: attribute(tag, 'action'),
      method: attribute(tag, 'method'),
      fields: Object.fromEntries(
        [...inside.matchAll(/<(?:input|button)\b[^>]*>/g)]
          .map(([input]) => [attribute(input, 'name'), attribute(input, 'value'), attribute(input, 'type')] as const)
          .filter(([name, , type]) => name !== '' && type !== 'radio' && type !== 'checkbox')
          .map(([name, value]) => [name, value]),
      ),
      blanks: blanksIn(inside),
      text: unescape(inside.replace(/<[^>]+>/g, ' '))
        .replace(/\s+/g, ' ')
        .trim(),
    }));
  }

  form(action: RegExp): Form {
    const form = this.forms().find((candidate) => action.test(candidate.action));
    if (!form)
      throw new Error(`no form for ${action} on ${this.url.href} (${this.status}):\n${this.text.slice(0, 2000)}`);
    return form;
  }
}

function blanksIn(form: string): Record<string, string[]> {
  const blanks: Record<string, string[]> = {};
  for (const [tag, element] of form.matchAll(/<(input|textarea)\b[^>]*>/g)) {
    const isChoice = ['radio', 'checkbox'].includes(attribute(tag, 'type'));
    if (!isChoice && element !== 'textarea') continue;
    const values = (blanks[attribute(tag, 'name')] ??= []);
    if (isChoice) values.push(attribute(tag, 'value'));
  }
  return blanks;
}

function attribute(tag: string, name: string): string {
  return unescape(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
}

function unescape(text: string): string {
  const entities: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&amp;': '&' };
  return text.replace(/&(lt|gt|quot|#39|amp);/g, (entity) => entities[entity] ?? entity);
}

/** Waits until `look` gives something, at most `withinMs`. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
  what: string,
  withinMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(25);
  }
}
