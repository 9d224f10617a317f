/** What became of a mail that failed, and so what may be done next. */
export type MailFailure =
  /** The way to the server is closed: everybody's mail waits. */
  | { kind: 'down'; reason: string }
  /** The same, but the server had the whole mail by then, and may have taken it. */
  | { kind: 'unknown'; reason: string }
  /** Nothing goes through until somebody fixes the settings. */
  | { kind: 'misconfigured'; reason: string; fix: string }
  /** Not now, for this recipient: greylisting, a full mailbox. */
  | { kind: 'deferred'; reason: string }
  /** Never, for this recipient. */
  | { kind: 'refused'; reason: string };

const FIXES: Record<string, string> = {
  EAUTH: 'The mail server refused the login: check user and password in SMTP_URL.',
  ENOAUTH: 'The mail server wants a login: put user and password into SMTP_URL.',
  EOAUTH2: 'The mail server refused the login: check user and password in SMTP_URL.',
  ETLS: 'No encrypted connection to the mail server: check its certificate, the port, and smtp:// against smtps:// in SMTP_URL.',
  EREQUIRETLS: 'The mail server cannot pass mail on encrypted, as was asked for.',
  ECONFIG: 'Check SMTP_URL.',
  EPROXY: 'Check the proxy between here and the mail server.',
};

/**
 * Judges an error of nodemailer. `permanent` there describes a reply, not the mail: a refused login is permanent, but the
 * same mail arrives once it is fixed. `wasRead` says that the whole content had gone out.
 */
export function classifyMailError(error: unknown, wasRead = false): MailFailure {
  const code = textIn(error, 'code') ?? 'failed';
  const command = textIn(error, 'command');
  const responseCode = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : undefined;
  if (code === 'EABORT') return { kind: wasRead ? 'unknown' : 'down', reason: 'no answer in time' };
  const reason = [code, command, responseCode].filter((part) => part !== undefined).join(' ');
  const fix = Object.hasOwn(FIXES, code) ? FIXES[code] : undefined;
  if (fix) return { kind: 'misconfigured', reason, fix };
  if (responseCode === undefined) return { kind: wasRead ? 'unknown' : 'down', reason };
  const isPermanent = error instanceof Error && 'permanent' in error && error.permanent === true;
  if (command === 'MAIL FROM') {
    if (!isPermanent) return { kind: 'deferred', reason };
    return { kind: 'misconfigured', reason, fix: 'The mail server does not accept this sender: check EMAIL_FROM.' };
  }
  if (code !== 'EENVELOPE' && code !== 'EMESSAGE') return { kind: 'down', reason };
  return { kind: isPermanent ? 'refused' : 'deferred', reason };
}

function textIn(error: unknown, name: 'code' | 'command'): string | undefined {
  const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined;
  return typeof value === 'string' ? value : undefined;
}
