const VALUE = `(?:"[^"]*"|'[^']*'|[^\\s"'&;|]+)`;
const NAME =
  '(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|(?:api|access|secret|private|account)[-_]?key|client[-_]?secret|auth|sig)';

/** What usually carries a secret, each with the secret in its last group. */
const SECRETS: RegExp[] = [
  new RegExp(`(\\b[\\w-]{0,40}?${NAME}["']?\\s{0,3}[=:]\\s{0,3})(?!//)(${VALUE})`, 'giu'), // password=x, "token": x, /pwd:x
  new RegExp(`((?:^|\\s)--?${NAME}\\s{1,3})(${VALUE})`, 'giu'), // --password x
  new RegExp(`((?:^|\\s)-p\\s{1,3})(${VALUE})`, 'gu'), // -p x
  new RegExp(`(\\bnet1?(?:\\.exe)?\\s{1,3}user\\s{1,3}[^\\s/]{1,100}\\s{1,3})(?!/)(${VALUE})`, 'giu'), // net user name x
  /((?:^|\s)-u\s{0,3}[^\s:]{1,100}:)(\S+)/gu, // curl -u name:x
  /(:\/\/[^\s/:@]{1,100}:)([^\s/@]+)(?=@)/gu, // https://name:x@host
  /(\bbearer\s{1,3})([\w.~+/=-]+)/giu,
  /()(\b(?:eyJ[\w-]+\.[\w-]+\.[\w-]*|gh[opsu]_\w{20,}|xox[a-z]-[\w-]+|AKIA[A-Z0-9]{12,}))/gu,
];

/**
 * A command line with what looks like a secret replaced by `***`: mail is not confidential. It cannot find everything,
 * and shows nothing that the page would not show to somebody who signed in.
 */
export function maskSecrets(commandLine: string): string {
  return SECRETS.reduce((masked, pattern) => masked.replace(pattern, '$1***'), commandLine);
}
