import { isLoopback, settings } from '@cordon/notifier/src/config.ts';
import { classifyMailError } from '@cordon/notifier/src/mail-failure.ts';
import { createTransport } from 'nodemailer';
import { type Env, type Finding, ok, PATIENCE_MS, settingsOf, wrong } from './finding.ts';

const { SMTP_URL, SMTP_REQUIRE_TLS, EMAIL_FROM, EMAIL_TO } = settings;

/** Connects, encrypts and logs in, and sends nothing. */
export async function checkMail(env: Env): Promise<Finding[]> {
  const shape = { SMTP_URL, SMTP_REQUIRE_TLS, EMAIL_FROM, EMAIL_TO };
  const read = settingsOf('mail', shape, ['SMTP_URL', 'EMAIL_FROM', 'EMAIL_TO'], env);
  if ('findings' in read) return read.findings;
  const { SMTP_URL: server, SMTP_REQUIRE_TLS: asked } = read.config;
  if (!server) return [];
  const requireTls = asked ?? !isLoopback(server.host);
  const transport = createTransport({
    ...server,
    requireTLS: requireTls && !server.secure,
    ignoreTLS: !requireTls && isLoopback(server.host),
    tls: { minVersion: 'TLSv1.2' },
    connectionTimeout: PATIENCE_MS,
    greetingTimeout: PATIENCE_MS,
    socketTimeout: PATIENCE_MS,
    dnsTimeout: PATIENCE_MS,
  });
  try {
    await transport.verify();
    const how = server.auth ? 'takes the login' : 'answers, without a login';
    return [ok('mail', `${server.host}:${server.port} ${how}`)];
  } catch (error) {
    const failure = classifyMailError(error);
    const fix =
      failure.kind === 'misconfigured'
        ? failure.fix
        : 'Check host and port in SMTP_URL, and whether this machine gets out to the mail server.';
    return [wrong('mail', `${server.host}:${server.port}: ${failure.reason}`, fix)];
  } finally {
    transport.close();
  }
}
