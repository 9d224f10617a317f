import { startSystem, type System, type SystemOptions } from '@cordon/sandbox';
import { eventually, type Page, Person } from './person.ts';

export type SlackRoot = ReturnType<NonNullable<System['slack']>['messages']>[number];

/** All of Cordon with the people around it, told in the words of the job. */
export class Story {
  readonly system: System;
  #programs = 0;
  constructor(system: System) {
    this.system = system;
  }

  static async begin(options: SystemOptions = {}): Promise<Story> {
    const system = await startSystem({ isolationLagMs: 300, ...options });
    try {
      await system.ready();
    } catch (error) {
      await system.close();
      throw error;
    }
    return new Story(system);
  }

  get parts() {
    const { machine, slack, mail, limaCharlie, broker } = this.system;
    if (!machine || !slack || !mail || !limaCharlie || !broker) throw new Error('a stand-in is missing');
    return { machine, slack, mail, limaCharlie, broker };
  }

  /** Runs the tool under a name not seen before, so that a decision about an earlier run does not silence it. */
  async attack(): Promise<void> {
    const name = `tool-${++this.#programs}.exe`;
    this.parts.machine.run(`copy LaZagne.exe ${name}`);
    this.parts.machine.run(`.\\${name} all`);
    await this.parts.machine.settled();
  }

  /** The Slack message about the next incident after `act`, and the incident's id by the link in it. */
  async follow(act: () => Promise<unknown>): Promise<string> {
    const known = new Set(this.parts.slack.messages().map((message) => message.ts));
    await act();
    const message = await eventually(
      () => this.parts.slack.messages().find((candidate) => !known.has(candidate.ts)),
      'a Slack message',
      60_000,
    );
    const id = incidentIn(message);
    if (!id) throw new Error(`no link in ${JSON.stringify(message)}`);
    return id;
  }

  /** The Slack messages in the channel itself about an incident: there is never more than one. */
  roots(id: string): SlackRoot[] {
    return this.parts.slack.messages().filter((message) => incidentIn(message) === id);
  }

  /** Waits until the channel's message about the incident says this. */
  async slackSays(id: string, words: string, withinMs = 40_000): Promise<void> {
    const last = (): string => JSON.stringify(this.roots(id).map((root) => [root.text, root.blocks]));
    try {
      await eventually(() => last().includes(words) || undefined, `Slack says "${words}"`, withinMs);
    } catch (error) {
      throw new Error(`Slack says ${last()}`, { cause: error });
    }
  }

  mails(id: string) {
    return this.parts.mail.mails().filter((mail) => JSON.stringify(mail).includes(id));
  }

  async signedIn(name: string): Promise<Person> {
    const person = new Person(this.system.approvalUrl);
    const page = await person.signIn(name);
    if (page.status !== 200) throw new Error(`${name} cannot sign in: ${page.status} ${page.text}`);
    return person;
  }

  /** Answers. Where the page says that new facts arrived meanwhile, it shows them, and they are what is answered next. */
  async decide(person: Person, id: string, choice: 'isolate' | 'leave', reason = 'the test says so'): Promise<Page> {
    let page = await person.get(`/approvals/${id}`);
    for (let attempt = 1; attempt <= ANSWERS_MAX; attempt++) {
      const form = page.form(/review/);
      page = await person.post(form.action, { ...form.fields, choice, reason });
      if (!saysNewFacts(page)) {
        const decision = page.form(/decide/);
        page = await person.post(decision.action, decision.fields);
      }
      if (!saysNewFacts(page)) return page;
      if (page.form(/review/).fields['digest'] === form.fields['digest']) throw new Error('these facts are not new');
    }
    throw new Error(`new facts arrived during each of ${ANSWERS_MAX} answers`);
  }

  async requestRelease(person: Person, id: string): Promise<void> {
    const form = (await person.get(`/approvals/${id}/release`)).form(/release/);
    await person.post(form.action, { ...form.fields, checked: 'yes', reason: 'it is clean now' });
  }

  async pageSays(person: Person, id: string, words: string, withinMs = 40_000): Promise<void> {
    await eventually(
      async () => (await person.get(`/approvals/${id}`)).text.includes(words) || undefined,
      `the page says "${words}"`,
      withinMs,
    );
  }

  /** Ends what is still open, so that the next story starts on a quiet machine. */
  async tidy(): Promise<void> {
    await this.system.ready(); // a test may have ended while something was still starting
    this.parts.limaCharlie.setOnline(this.parts.machine.sid, true);
    const alice = await this.signedIn('Alice');
    const [open = ''] = (await alice.get('/')).body.split('Recently closed');
    for (const [, id = ''] of open.matchAll(/\/approvals\/([0-9a-f]{32})/g)) {
      if ((await alice.get(`/approvals/${id}`)).body.includes('/review')) {
        await this.decide(alice, id, 'leave');
      } else {
        await this.requestRelease(alice, id);
        await this.pageSays(alice, id, 'Machine released');
      }
    }
  }

  /** The end of every service's log, for a failure's message. */
  lastWords(): string {
    return Object.values(this.system.services)
      .map((service) => `--- ${service.name}\n${service.output().slice(-1500)}`)
      .join('\n');
  }

  isolations(method: 'POST' | 'DELETE' = 'POST'): number {
    return this.parts.limaCharlie.calls.isolation.filter((call) => call.method === method).length;
  }
}

/** An attack is told in two detections, and more may come back to a broker that was away. */
const ANSWERS_MAX = 5;

/** Whether a page says that what was answered is not what stands now. */
export function saysNewFacts({ status, text }: Page): boolean {
  return status === 409 && text.includes('New facts arrived while you were deciding. Nothing was decided yet');
}

function incidentIn(message: SlackRoot): string | undefined {
  return /\/approvals\/([0-9a-f]{32})/.exec(JSON.stringify(message.blocks))?.[1];
}
