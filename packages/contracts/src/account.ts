/** The bare name of an account, to compare by: `CORP\bob`, `bob@corp.example` and `Bob` all give `bob`. */
export function accountName(account: string): string {
  const afterDomain = account.slice(account.lastIndexOf('\\') + 1);
  const at = afterDomain.indexOf('@');
  return (at === -1 ? afterDomain : afterDomain.slice(0, at)).trim().toLowerCase();
}
