import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge'];
const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** The system's Chromium, Chrome or Edge, or the one that CORDON_BROWSER names. */
export function findBrowser(): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = [
    process.env['CORDON_BROWSER'] ?? '',
    ...NAMES.flatMap((name) => path.map((folder) => join(folder, name))),
    ...PLACES,
  ];
  return candidates.find((candidate) => candidate !== '' && existsSync(candidate));
}

/** Why the browser tests do not run here; empty where they do. */
export const withoutBrowser = findBrowser()
  ? ''
  : ' (skipped: no Chromium, Chrome or Edge found; install one or set CORDON_BROWSER)';

export async function startBrowser(): Promise<Browser> {
  const executablePath = findBrowser();
  if (!executablePath) throw new Error(withoutBrowser);
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** What went wrong in a page: script errors, and whatever the content security policy blocked. */
export function watchForTrouble(context: BrowserContext): string[] {
  const trouble: string[] = [];
  context.on('weberror', (error) => trouble.push(error.error().message));
  context.on('console', (message) => {
    if (message.type() === 'error' && !/status of (401|403|404|409|410|422)/.test(message.text()))
      trouble.push(message.text());
  });
  return trouble;
}

const artifacts = fileURLToPath(new URL('../artifacts/screenshots/', import.meta.url));

/** Keeps a picture of the page as a build artefact. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await mkdir(artifacts, { recursive: true });
  await page.screenshot({ path: join(artifacts, `${name}.png`), fullPage: true });
}
