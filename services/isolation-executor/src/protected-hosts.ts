import picomatch from 'picomatch';

/** Whether a host may never be isolated: globs on the full name and on its first label, without regard to case. */
export function protectedHosts(globs: string[]): (hostname: string) => boolean {
  const matches = globs.map((glob) => picomatch(glob.toLowerCase(), { dot: true, nocase: true }));
  return (hostname) => {
    const name = hostname.toLowerCase();
    const [label = name] = name.split('.');
    return matches.some((match) => match(name) || match(label));
  };
}
