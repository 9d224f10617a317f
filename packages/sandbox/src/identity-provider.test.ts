import * as oidc from 'openid-client';
import { describe, expect, test } from 'vitest';
import { startIdentityProvider, type IdentityProvider } from './identity-provider.ts';

const redirectUri = 'http://127.0.0.1:9/auth/callback'; // nobody has to listen: the test stops before it
const start = (): Promise<IdentityProvider> =>
  startIdentityProvider({ clientId: 'cordon', clientSecret: 'sandbox-client-secret', redirectUris: [redirectUri] });

const discover = (issuer: string): Promise<oidc.Configuration> =>
  oidc.discovery(new URL(issuer), 'cordon', 'sandbox-client-secret', undefined, {
    execute: [oidc.allowInsecureRequests],
  });

/** Follows redirects and keeps cookies, as far as signing in needs it. */
function aBrowser() {
  const cookies = new Map<string, string>();
  const visit = async (url: URL, init: RequestInit = {}): Promise<{ url: URL; body: string }> => {
    if (url.href.startsWith(redirectUri) || url.pathname === '/signed-out') return { url, body: '' };
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = response.headers.get('location');
    return location ? visit(new URL(location, url)) : { url, body: await response.text() };
  };
  return {
    visit: (url: URL) => visit(url),
    submit: (url: URL, form: Record<string, string>) => visit(url, { method: 'POST', body: new URLSearchParams(form) }),
  };
}

async function aFlow(config: oidc.Configuration, extra: Record<string, string> = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const expectedState = oidc.randomState();
  const expectedNonce = oidc.randomNonce();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid email profile groups',
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...extra,
  });
  const finish = async (callback: URL, maxAge?: number): Promise<oidc.IDToken> => {
    const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
    const tokens = await oidc.authorizationCodeGrant(config, callback, {
      ...checks,
      ...(maxAge !== undefined && { maxAge }),
    });
    const claims = tokens.claims();
    if (!claims) throw new Error('no ID token');
    return claims;
  };
  return { url, finish };
}

describe('signing in', () => {
  test.for<[sub: string, name: string, groups: string[]]>([
    ['alice', 'Alice Approver', ['cordon-approvers']],
    ['bob', 'Bob Approver', ['cordon-approvers']],
    ['victor', 'Victor Viewer', ['cordon-viewers']],
    ['mallory', 'Mallory (no role)', []],
  ])('one click is enough, and the ID token says who %s is', async ([sub, name, groups]) => {
    await using provider = await start();
    const browser = aBrowser();
    const flow = await aFlow(await discover(provider.issuer));
    const choice = await browser.visit(flow.url);
    expect(choice.body).toContain(`Sign in as ${name}`);
    expect(choice.body).not.toMatch(/https?:\/\//);

    const { url } = await browser.submit(choice.url, { sub });
    expect(await flow.finish(url)).toMatchObject({
      iss: provider.issuer,
      sub,
      name,
      email: `${sub}@example.com`,
      groups,
      auth_time: expect.any(Number),
    });
  });

  test('whoever is signed in is not asked again, unless the sign-in is too old or a new one is demanded', async () => {
    await using provider = await start();
    const config = await discover(provider.issuer);
    const browser = aBrowser();
    const first = await aFlow(config);
    const choice = await browser.visit(first.url);
    const signedIn = await first.finish((await browser.submit(choice.url, { sub: 'alice' })).url);

    const again = await aFlow(config, { max_age: '300' });
    const claims = await again.finish((await browser.visit(again.url)).url, 300);
    expect(claims.auth_time).toBe(signedIn.auth_time);

    for (const extra of [{ max_age: '0' }, { prompt: 'login' }]) {
      const fresh = await aFlow(config, extra);
      const asked = await browser.visit(fresh.url);
      expect(asked.body).toContain('Sign in again');
      const { url } = await browser.submit(asked.url, { sub: 'alice' });
      expect(await fresh.finish(url, 300)).toMatchObject({ sub: 'alice' });
    }
  });

  test('an unknown name signs nobody in', async () => {
    await using provider = await start();
    const browser = aBrowser();
    const flow = await aFlow(await discover(provider.issuer));
    const choice = await browser.visit(flow.url);
    const { url } = await browser.submit(choice.url, { sub: 'root' });
    expect(url.searchParams.get('error')).toBe('access_denied');
  });

  test('a code works once, only with PKCE, and only at the registered address', async () => {
    await using provider = await start();
    const config = await discover(provider.issuer);
    const browser = aBrowser();
    const flow = await aFlow(config);
    const choice = await browser.visit(flow.url);
    const { url } = await browser.submit(choice.url, { sub: 'alice' });
    await flow.finish(url);
    await expect(flow.finish(url)).rejects.toMatchObject({ error: 'invalid_grant' });

    const withoutPkce = new URL(flow.url);
    withoutPkce.searchParams.delete('code_challenge');
    withoutPkce.searchParams.delete('code_challenge_method');
    expect((await browser.visit(withoutPkce)).url.searchParams.get('error')).toBe('invalid_request');

    const elsewhere = await aFlow(config, { redirect_uri: 'http://evil.example/' });
    expect((await browser.visit(elsewhere.url)).body).toContain('invalid_redirect_uri');
  });
});

test('signing out ends the session and leads back to the application, and to nobody else', async () => {
  await using provider = await start();
  const config = await discover(provider.issuer);
  const browser = aBrowser();
  const flow = await aFlow(config);
  const choice = await browser.visit(flow.url);
  await browser.submit(choice.url, { sub: 'alice' });

  const elsewhere = oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: 'http://evil.example/' });
  expect((await browser.visit(elsewhere)).body).toContain('post_logout_redirect_uri not registered');

  const home = new URL('/signed-out', redirectUri).href;
  const leaving = await browser.visit(oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: home }));
  const [, action = ''] = /action="([^"]+)"/.exec(leaving.body) ?? [];
  const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(leaving.body) ?? [];
  const left = await browser.submit(new URL(action), { xsrf, logout: 'yes' });
  expect(left.url.href).toBe(home);

  const next = await aFlow(config);
  expect((await browser.visit(next.url)).body).toContain('Sign in as Alice');
});

test('a sign-in that nobody began is answered, not crashed on', async () => {
  await using provider = await start();
  const response = await fetch(`${provider.issuer}/interaction/unknown`);
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('This sign-in is over');
});
