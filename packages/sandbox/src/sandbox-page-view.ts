import { html, type Content, type Html } from '@cordon/html';
import type { Sensor } from './limacharlie-sensors.ts';
import { renderMail, renderMailbox } from './mail-page.ts';
import type { ReceivedMail } from './mail.ts';
import { renderSlackPeople, renderSlackScreen, type SlackScreen } from './sandbox-page-slack.ts';

export type TerminalEntry = { line: string; output: string };

export type MachineView = {
  hostname: string;
  prompt: string;
  sensor: Pick<Sensor, 'online' | 'isolated' | 'shouldIsolate'>;
  entries: readonly TerminalEntry[];
  /** The last detection could not be delivered, so that for a while none is. */
  outputPaused: boolean;
};

export type SwitchView = { id: string; label: string; expect: string; on: boolean };
export type SwitchGroupView = { id: string; name: string; switches: SwitchView[] };

/** The mail that was asked for, otherwise the latest is shown; and the Slack user that one is. */
export type PageQuery = { mail?: string | undefined; slack?: string | undefined };

/** All that the page shows; a part that is `undefined` is connected for real. */
export type SandboxView = {
  incidentsUrl: string;
  /** What this page's address asks for, kept by whatever is posted from it. */
  query: PageQuery;
  machine: MachineView | undefined;
  slack: SlackScreen | undefined;
  mails: ReceivedMail[] | undefined;
  groups: SwitchGroupView[];
};

/** What runs at one click. */
export const LAZAGNE = '.\\LaZagne.exe all';
const SHORTCUTS = ['whoami', 'ping 8.8.8.8', 'dir'];
const STEPS: [what: string, where: string][] = [
  ['Run LaZagne.exe', 'on the Windows machine'],
  ['Read Slack or the mail', 'Cordon asks there'],
  ['Follow the link and decide', 'sign in as Alice'],
  ['Watch what happens', 'on this page'],
];

/** The whole page. It works without its script, which only keeps it up to date. */
export function renderSandbox(view: SandboxView): string {
  const { incidentsUrl, groups } = view;
  const query = queryOf(view.query);
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>Cordon sandbox</title>
      <link rel="icon" href="data:," />
      <link rel="stylesheet" href="/assets/sandbox.css" />
      <link rel="stylesheet" href="/assets/slack.css" />
      <link rel="stylesheet" href="/assets/mail.css" />
      <script src="/assets/sandbox.js" defer></script>
    </head>
    <body>
      <header class="top">
        <h1>Cordon sandbox</h1>
        <ol class="steps">
          ${STEPS.map(([what, where]) => html`<li><b>${what}</b> <span>${where}</span></li>`)}
        </ol>
        <a class="incidents" href="${incidentsUrl}" target="_blank">Open incidents</a>
        <noscript><a href="/${query}">Refresh</a></noscript>
      </header>
      <p class="lost" id="lost" role="alert" hidden>
        The sandbox does not answer. Is <code>npm start</code> still running?
      </p>
      <main>${renderMachine(view)} ${renderSlack(view)} ${renderMails(view)}</main>
      ${renderSwitches(groups, query)}
    </body>
  </html>`;
  return `<!doctype html>${page.toString()}`;
}

function renderMachine({ machine, query: asked }: SandboxView): Html {
  if (!machine) {
    return absent('machine', 'Windows machine', 'The real LimaCharlie is connected', [
      'Run LaZagne.exe on a Windows machine of your own that has the sensor. The detection reaches Cordon through the output you configured.',
    ]);
  }
  const { hostname, prompt, sensor, entries, outputPaused } = machine;
  const query = queryOf(asked);
  const { state, label, detail } = describeSensor(sensor);
  return html`<section class="window machine" id="machine" aria-label="Windows machine ${hostname}">
    <header class="titlebar">
      <h2>${hostname} <small>Windows PowerShell</small></h2>
      <span class="window-buttons" aria-hidden="true"><i></i><i></i><i></i></span>
    </header>
    <div role="status">
      <p class="sensor ${state}" data-live="sensor"><b>${label}</b> <span>${detail}</span></p>
    </div>
    <form class="shortcuts" method="post" action="/run${query}">
      <button class="run" name="line" value="${LAZAGNE}">Run LaZagne.exe</button>
      ${SHORTCUTS.map((line) => html`<button class="chip" name="line" value="${line}">${line}</button>`)}
    </form>
    <div class="terminal">
      <div>
        <div role="log" aria-label="Output" data-live="terminal">
          ${
            entries.length === 0 &&
            html`<p class="hint">LaZagne dumps passwords. This one is harmless, but the sensor does not know that.</p>`
          }
          ${entries.map(
            ({ line, output }) =>
              html`<p class="line"><span class="ps">${prompt}</span> <span class="typed">${line}</span></p>
                ${output !== '' && html`<pre class="${hasLongLine(output) ? 'wrapped' : 'whole'}">${output}</pre>`}`,
          )}
        </div>
        <form class="prompt" method="post" action="/run${query}">
          <label for="line">${prompt}</label>
          <input
            id="line"
            name="line"
            aria-label="Command line"
            maxlength="2000"
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
          />
          <button class="enter" title="Run">⏎</button>
        </form>
      </div>
    </div>
    <div data-live="paused">
      ${
        outputPaused &&
        html`<p class="notice">
          LimaCharlie could not deliver a detection to Cordon and pauses for a few seconds. Run it again then.
        </p>`
      }
    </div>
  </section>`;
}

/** A console's width: longer lines are wrapped, a picture made of shorter ones stays whole. */
const hasLongLine = (output: string): boolean => output.split('\n').some((line) => line.length > 80);

/** What the sensor reports, and a wish that it has not followed yet. */
export function describeSensor({ online, isolated, shouldIsolate }: MachineView['sensor']): {
  state: string;
  label: string;
  detail: string;
} {
  const wish =
    isolated === shouldIsolate ? undefined : `${shouldIsolate ? 'Isolation' : 'Release'} wished, not applied yet`;
  if (!online) {
    const last = `Last report: ${isolated ? 'isolated' : 'not isolated'}.`;
    return { state: 'offline', label: 'Offline', detail: wish ? `${last} ${wish}: follows when it is back.` : last };
  }
  if (wish) return { state: 'waiting', label: isolated ? 'Isolated' : 'Connected', detail: `${wish}.` };
  return isolated
    ? { state: 'isolated', label: 'Isolated', detail: 'Only LimaCharlie reaches it. Try ping.' }
    : { state: 'connected', label: 'Connected', detail: 'The sensor is on guard.' };
}

function renderSlack({ slack, groups, query }: SandboxView): Html {
  if (!slack) return absent('slack', 'Slack', 'The real Slack is connected', ['Look into the channel you configured.']);
  return html`<section class="window slack-window" id="slack" aria-label="Slack">
    <header class="titlebar">
      <h2>Slack <small>Sandbox workspace</small></h2>
      ${troubleOf(groups, 'slack')}
      ${slack.isInteractive && renderSlackPeople(slack, (username) => queryOf({ ...query, slack: username }))}
    </header>
    ${renderSlackScreen(slack, queryOf(query))}
  </section>`;
}

function renderMails({ mails, query, groups }: SandboxView): Html {
  if (!mails) {
    return absent('mail', 'Mail', 'The real mail server is connected', [
      'Look into the mailbox of the people you configured.',
    ]);
  }
  const shown = mails.find(({ id }) => id === query.mail) ?? mails.at(-1);
  return html`<section class="window mail-window" id="mail" aria-label="Mail">
    <header class="titlebar">
      <h2>Mail <small>What the team receives</small></h2>
      ${troubleOf(groups, 'mail')}
    </header>
    <div class="mail-list" data-live="mailbox">${renderMailbox(mails, ({ id }) => queryOf({ ...query, mail: id }), shown?.id)}</div>
    <div class="mail-shown" data-live="mail">${shown && renderMail(shown)}</div>
  </section>`;
}

/** The address of the page as it stands after the path. */
export function queryOf(query: PageQuery): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, value);
  return given.size === 0 ? '' : `?${given.toString()}`;
}

function absent(id: string, name: string, what: string, more: string[]): Html {
  return html`<section class="window absent" id="${id}" aria-label="${name}">
    <header class="titlebar"><h2>${name}</h2></header>
    <div>
      <p><b>${what}</b></p>
      ${more.map((text) => html`<p>${text}</p>`)}
    </div>
  </section>`;
}

function troubleOf(groups: SwitchGroupView[], id: string): Content {
  const on = groups.find((group) => group.id === id)?.switches.filter((one) => one.on) ?? [];
  return html`<span class="troubles" data-live="trouble-${id}">
    ${on.map(({ label }) => html`<span class="trouble">${label}</span>`)}
  </span>`;
}

function renderSwitches(groups: SwitchGroupView[], query: string): Content {
  if (groups.length === 0) return undefined;
  const broken = groups.flatMap(({ name, switches }) =>
    switches.filter(({ on }) => on).map(({ label }) => `${name}: ${label}`),
  );
  return html`<details class="break" id="break-things" ${broken.length > 0 && html`open`}>
    <summary>
      <b>Break things</b>
      <span data-live="broken">
        ${broken.length > 0 ? html`<span class="trouble">${broken.join(', ')}</span>` : 'Everything works. See what Cordon does when it does not.'}
      </span>
    </summary>
    <div class="groups" data-live="switches">
      ${groups.map(
        ({ id, name, switches }) =>
          html`<section class="group" aria-labelledby="group-${id}">
            <h3 id="group-${id}">${name}</h3>
            ${switches.map((one) => renderSwitch(one, name, query))}
          </section>`,
      )}
    </div>
  </details>`;
}

function renderSwitch({ id, label, expect, on }: SwitchView, group: string, query: string): Html {
  return html`<form class="switch" method="post" action="/switches${query}">
    <input type="hidden" name="switch" value="${id}" />
    <button
      id="switch-${id}"
      name="on"
      value="${on ? 'false' : 'true'}"
      role="switch"
      aria-checked="${on ? 'true' : 'false'}"
      aria-label="${group}: ${label}"
      aria-describedby="expect-${id}"
    >
      <i aria-hidden="true"></i>${label}
    </button>
    <p id="expect-${id}">${expect}</p>
  </form>`;
}
