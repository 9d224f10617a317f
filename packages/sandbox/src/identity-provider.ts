import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { Html, html, type Content } from '@cordon/html';
import { Provider, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import { memoryAdapter } from './identity-provider-store.ts';

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
  close(): Promise<void>;
}

export interface IdentityProviderOptions {
  /** A free one by default. */
  port?: number;
  clientId: string;
  /** How the client has to send its secret; in the form unless told otherwise. */
  clientAuth?: 'client_secret_post' | 'client_secret_basic';
  clientSecret: string;
  /** Also decides where people may be sent after they signed out: anywhere on the same origins. */
  redirectUris: readonly string[];
  /** What the groups are called that Alice, Bob and Victor belong to. */
  groups?: { approvers?: string; viewers?: string };
}

interface Person {
  sub: string;
  name: string;
  email: string;
  groups: string[];
}

/**
 * A real OpenID Connect provider on loopback, where a person signs in with one click and no password. Everything it
 * remembers is in memory: after a restart nobody is signed in, and keys and codes of before are worth nothing.
 */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const { port = 0, redirectUris } = options;
  const approvers = options.groups?.approvers ?? 'cordon-approvers';
  const viewers = options.groups?.viewers ?? 'cordon-viewers';
  const people: Person[] = [
    { sub: 'alice', name: 'Alice Approver', email: 'alice@example.com', groups: [approvers] },
    { sub: 'bob', name: 'Bob Approver', email: 'bob@example.com', groups: [approvers] },
    { sub: 'victor', name: 'Victor Viewer', email: 'victor@example.com', groups: [viewers] },
    { sub: 'mallory', name: 'Mallory (no role)', email: 'mallory@example.com', groups: [] },
  ];

  const server = createServer();
  server.listen(port, '127.0.0.1'); // first, since the issuer's name contains the port
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the identity provider has no port');
  const issuer = `http://127.0.0.1:${address.port}`;

  const provider = new Provider(issuer, configure(options, people));
  provider.silent = true;
  const origins = new Set(redirectUris.map((uri) => new URL(uri).origin));
  provider.Client.prototype.postLogoutRedirectUriAllowed = (uri) =>
    URL.canParse(uri) && origins.has(new URL(uri).origin);

  const handle = provider.callback();
  server.on('request', (request, response) => {
    response.setHeader(
      'content-security-policy',
      `default-src 'none'; style-src 'unsafe-inline'; form-action 'self' ${[...origins].join(' ')}; frame-ancestors 'none'`,
    );
    const answered = request.url?.startsWith('/interaction/')
      ? signIn(provider, people, request, response)
      : handle(request, response);
    answered.catch(() => {
      // The cookie of a sign-in that is over, or that was begun before a restart.
      response.writeHead(400, { 'content-type': 'text/html; charset=utf-8' });
      response.end(
        page('This sign-in is over', html`<p>Go back to the page you came from and try again.</p>`).toString(),
      );
    });
  });

  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { issuer, close, [Symbol.asyncDispose]: close };
}

function configure(options: IdentityProviderOptions, people: Person[]): Configuration {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    adapter: memoryAdapter(),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'sandbox' }] },
    cookies: {
      keys: [randomBytes(32).toString('hex')],
      // Cookies know no ports: names of its own keep them apart from those of a service on the same host.
      names: { session: 'idp_session', interaction: 'idp_interaction', resume: 'idp_resume' },
    },
    clients: [
      {
        client_id: options.clientId,
        client_secret: options.clientSecret,
        redirect_uris: [...options.redirectUris],
        token_endpoint_auth_method: options.clientAuth ?? 'client_secret_post',
        require_auth_time: true,
      },
    ],
    scopes: ['openid', 'email', 'profile', 'groups'],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username'],
      groups: ['groups'],
    },
    conformIdTokenClaims: false, // so that the ID token itself tells name, e-mail and groups
    responseTypes: ['code'],
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          show(ctx, 'Sign out', [
            html`<p>You are about to sign out.</p>`,
            new Html(form),
            html`<button form="op.logoutForm" name="logout" value="yes" autofocus>Sign out</button>`,
          ]);
        },
        postLogoutSuccessSource: (ctx) => show(ctx, 'Signed out', html`<p>You are signed out.</p>`),
      },
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, sub) => {
      const person = people.find((candidate) => candidate.sub === sub);
      if (!person) return undefined;
      const { name, email, groups } = person;
      return {
        accountId: sub,
        claims: () => ({ sub, name, preferred_username: sub, email, email_verified: true, groups }),
      };
    },
    loadExistingGrant: async ({ oidc }) => {
      // The one client is the company's own, so nobody is asked whether it may know who they are.
      const grant = new oidc.provider.Grant({ clientId: oidc.client?.clientId, accountId: oidc.session?.accountId });
      grant.addOIDCScope('openid email profile groups');
      await grant.save();
      return grant;
    },
    renderError: (ctx, { error, error_description }) =>
      show(ctx, 'Sign-in failed', html`<p>${error}: ${error_description}</p>`),
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 43_200, IdToken: 600, Interaction: 3_600, Session: 43_200 },
  };
}

async function signIn(
  provider: Provider,
  people: Person[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt } = await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.setHeader('cache-control', 'no-store');
    response.end(signInPage(people, prompt.reasons).toString());
    return;
  }
  const sub = new URLSearchParams(await text(request)).get('sub');
  const person = people.find((candidate) => candidate.sub === sub);
  const result = person
    ? { login: { accountId: person.sub } }
    : { error: 'access_denied', error_description: 'nobody signed in' };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

function signInPage(people: Person[], reasons: string[]): Html {
  const again = reasons.includes('max_age') || reasons.includes('login_prompt');
  return page(
    again ? 'Sign in again' : 'Sign in',
    html`${again && html`<p>This step asks for a fresh sign-in.</p>`}
      <form method="post">
        ${people.map(
          ({ sub, name, groups }) =>
            html`<button name="sub" value="${sub}">
              Sign in as ${name}<small>${groups.join(', ') || 'in no group'}</small>
            </button>`,
        )}
      </form>
      <p class="note">Stand-in of a company's identity provider. There are no passwords here.</p>`,
  );
}

function show(ctx: KoaContextWithOIDC, title: string, content: Content): void {
  ctx.type = 'html';
  ctx.body = page(title, content).toString();
}

const styles = `
body { margin: 0; padding: 48px 16px; background: #f3f4f6; color: #17202a; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 400px; margin: 0 auto; padding: 24px; border-radius: 8px; background: #fff; }
h1 { margin: 0 0 16px; font-size: 22px; }
button { display: block; width: 100%; margin: 0 0 12px; padding: 10px 14px; border: 1px solid #8a97a6; border-radius: 6px; background: #fff; color: inherit; font: inherit; text-align: left; cursor: pointer; }
button:hover { background: #eaf2fb; }
button:focus-visible { outline: 3px solid #0b57a4; outline-offset: 2px; }
small { display: block; color: #55606d; font-size: 13px; }
.note { margin: 16px 0 0; color: #55606d; font-size: 13px; }`;

function page(title: string, content: Content): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${styles}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html>`;
}
