import { readFileSync } from 'node:fs';
import { sha256 } from '@cordon/contracts';

export type Asset = { path: string; type: string; body: string };

/** A static file with a digest of its content in the name, so that browsers may keep it for ever. */
function asset(file: string, type: string): Asset {
  const body = readFileSync(new URL(`../assets/${file}`, import.meta.url), 'utf8');
  return { path: `/assets/${sha256(body).slice(0, 12)}-${file}`, type, body };
}

export const STYLE = asset('style.css', 'text/css; charset=utf-8');
export const SCRIPT = asset('live.js', 'text/javascript; charset=utf-8');
export const PASSKEY_SCRIPT = asset('passkey.js', 'text/javascript; charset=utf-8');
export const ICON = asset('icon.svg', 'image/svg+xml');
