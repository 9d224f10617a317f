import { settings } from '@cordon/approval/src/config.ts';
import { z } from 'zod';
import { clockFinding } from './clock.ts';
import { type Env, type Finding, ok, PATIENCE_MS, reasonOf, settingsOf, wrong } from './finding.ts';

const { OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET } = settings;
const Discovery = z.object({ issuer: z.string(), token_endpoint: z.url(), authorization_endpoint: z.url() });
const OAuthError = z.object({ error: z.string() });

/** The provider's discovery document, and whether it knows the client. Nobody is signed in. */
export async function checkSignIn(env: Env): Promise<Finding[]> {
  const shape = { OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET };
  const read = settingsOf('sign-in', shape, ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET'], env);
  if ('findings' in read) return read.findings;
  const { config } = read;
  const issuer = config.OIDC_ISSUER;
  const where = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  let response: Response;
  let body: unknown;
  const before = Date.now();
  try {
    response = await fetch(where, { signal: AbortSignal.timeout(PATIENCE_MS) });
    body = await response.json().catch(() => undefined);
  } catch (error) {
    const fix = 'Check OIDC_ISSUER, and whether this machine gets out to the provider.';
    return [wrong('sign-in', `${issuer} does not answer (${reasonOf(error)})`, fix)];
  }
  const discovery = Discovery.safeParse(body);
  if (!response.ok || !discovery.success) {
    const fix = 'Check that OIDC_ISSUER serves /.well-known/openid-configuration.';
    return [wrong('sign-in', `${where} is no discovery document (${response.status})`, fix)];
  }
  if (discovery.data.issuer !== issuer) {
    const says = `the provider calls itself ${discovery.data.issuer}`;
    return [wrong('sign-in', says, 'Set OIDC_ISSUER to exactly that, a closing slash included.')];
  }
  const date = response.headers.get('date');
  const ours = new Date((before + Date.now()) / 2);
  return [
    ok('sign-in', `discovered ${issuer}`),
    await checkClient(discovery.data.token_endpoint, config.OIDC_CLIENT_ID, config.OIDC_CLIENT_SECRET, env),
    // The header has whole seconds: half of one is added, so that it does not count as being behind.
    ...(date ? [clockFinding('the identity provider', new Date(Date.parse(date) + 500), ours)] : []),
  ];
}

/** A code that cannot exist: who knows the client complains about the code, who does not about the client. */
async function checkClient(endpoint: string, id: string, secret: string, env: Env): Promise<Finding> {
  const check = 'sign-in client';
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code: 'cordon-doctor',
    redirect_uri: `${env['PUBLIC_URL'] ?? 'https://cordon.invalid'}/callback`,
    client_id: id,
    client_secret: secret,
  });
  try {
    const response = await fetch(endpoint, { method: 'POST', body: form, signal: AbortSignal.timeout(PATIENCE_MS) });
    const said = OAuthError.safeParse(await response.json().catch(() => undefined)).data?.error ?? '';
    if (said === 'invalid_client' || said === 'unauthorized_client') {
      return wrong(check, `the provider refused the client (${said})`, 'Check OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.');
    }
    return ok(check, 'the provider knows client and secret');
  } catch (error) {
    const fix = 'Check whether this machine gets out to the token endpoint of the provider.';
    return wrong(check, `the token endpoint does not answer (${reasonOf(error)})`, fix);
  }
}
