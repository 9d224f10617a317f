import * as oidc from 'openid-client';

/** Why a sign-in did not work, for the log. `fix` is there where an operator has to do something. */
export type Diagnosis = { code: string; reason: string; fix?: string; unavailable: boolean };

const FIXES: Record<string, string> = {
  invalid_client: 'check OIDC_CLIENT_ID and OIDC_CLIENT_SECRET',
  unauthorized_client: 'allow the authorization code flow for OIDC_CLIENT_ID at the provider',
  invalid_scope: 'set OIDC_SCOPE to scopes that the provider knows',
  redirect_uri_mismatch: 'register PUBLIC_URL/callback at the provider as redirect URI',
  OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED: 'set OIDC_ISSUER to exactly what the provider calls itself',
  OAUTH_RESPONSE_IS_NOT_CONFORM: 'check that OIDC_ISSUER serves /.well-known/openid-configuration',
  OAUTH_RESPONSE_IS_NOT_JSON: 'check that OIDC_ISSUER serves /.well-known/openid-configuration',
};

/** Reads an error of the provider or the way to it. The error itself holds code and state, and is not for the log. */
export function diagnose(err: unknown): Diagnosis {
  if (!(err instanceof Error)) return { code: 'unknown', reason: 'unknown', unavailable: false };
  const code = codeOf(err);
  const because = err.cause instanceof Error && err.cause.message !== err.message ? `: ${err.cause.message}` : '';
  const fix = FIXES[code];
  return {
    code,
    reason: `${err.message}${because}`,
    ...(fix && { fix }),
    // A TypeError is how `fetch` says that nobody answered. What an operator must mend is nobody's who signs in.
    unavailable: err instanceof TypeError || code === 'OAUTH_TIMEOUT' || fix !== undefined,
  };
}

function codeOf(err: Error): string {
  if (err instanceof oidc.ResponseBodyError || err instanceof oidc.AuthorizationResponseError) return err.error;
  if (err instanceof oidc.ClientError) return err.code ?? err.name;
  const { cause } = err;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : err.name;
}
