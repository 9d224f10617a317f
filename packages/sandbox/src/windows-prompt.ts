/** What the prompt needs of the machine it runs on. */
export type Shell = {
  hostname: string;
  userName: string;
  folder: string;
  internalIp: string;
  connected: boolean;
  /** The folder's programs by lower-case name. */
  files: Map<string, { name: string; hash: string }>;
  /** Runs a program of the folder and returns what it prints. */
  execute: (name: string, typed: string) => string;
  /** Reports the start of a program of Windows itself. */
  launchSystemProgram: (name: string, typed: string) => void;
};

type Command = (shell: Shell, words: string[], typed: string) => string;

/** Answers one line as PowerShell would, within the few commands a demonstration needs. */
export function answer(line: string, shell: Shell): string {
  const program = programOf(line, shell.folder);
  if (program) return shell.execute(program.name, program.typed);
  const [name = '', ...words] = line.trim().split(/\s+/);
  if (name === '') return '';
  const command = commands.get(name.toLowerCase().replace(/\.exe$/, ''));
  return command ? command(shell, words, line.trim().slice(name.length)) : notRecognized(name);
}

/**
 * Finds the program a line names by its path. Any name is taken up to the first `.exe` that ends a word, blanks, brackets
 * and line breaks included: hostile names are what the sandbox is for.
 */
function programOf(line: string, folder: string): { name: string; typed: string } | undefined {
  const match = /^\s*(?:&\s*)?(["']?)(?<path>.+?\.exe)\1(?<typed>|\s.*)$/is.exec(line);
  const { path = '', typed = '' } = match?.groups ?? {};
  const here = ['.\\', './', `${folder}\\`].find((start) => path.toLowerCase().startsWith(start.toLowerCase()));
  return here === undefined ? undefined : { name: path.slice(here.length), typed };
}

const dir: Command = ({ folder, files }) =>
  [
    '',
    `    Directory: ${folder}`,
    '',
    'Mode                 LastWriteTime         Length Name',
    '----                 -------------         ------ ----',
    ...Array.from(files.values(), ({ name }) => `-a----         5/18/2025   3:37 PM       13872640 ${name}`),
    '',
  ].join('\n');

const bare = (name: string): string => name.replace(/^\.[\\/]/, '');

const copy: Command = ({ folder, files }, [from = '', to = '']) => {
  const file = files.get(bare(from).toLowerCase());
  if (!file || to === '') return `Copy-Item : Cannot find path '${folder}\\${bare(from)}' because it does not exist.`;
  files.set(bare(to).toLowerCase(), { ...file, name: bare(to) });
  return '';
};

const ping: Command = ({ connected, launchSystemProgram }, words, typed) => {
  launchSystemProgram('ping.exe', typed);
  const target = words.find((word) => !word.startsWith('-'));
  if (target === undefined) return 'IP address must be specified.';
  const isAddress = /^[\d.]+$/.test(target);
  if (!connected && !isAddress)
    return `Ping request could not find host ${target}. Please check the name and try again.`;
  const address = isAddress ? target : '203.0.113.80';
  const reply = connected ? `Reply from ${address}: bytes=32 time=11ms TTL=57` : 'Request timed out.';
  return [
    '',
    `Pinging ${target}${isAddress ? '' : ` [${address}]`} with 32 bytes of data:`,
    ...Array.from({ length: 4 }, () => reply),
    '',
    `Ping statistics for ${address}:`,
    `    Packets: Sent = 4, Received = ${connected ? 4 : 0}, Lost = ${connected ? '0 (0% loss)' : '4 (100% loss)'},`,
  ].join('\n');
};

// An alias within PowerShell itself: no process starts.
const webRequest: Command = ({ connected }, words) => {
  if (!words.some((word) => !word.startsWith('-'))) return 'Supply values for the following parameters:\nUri:';
  return connected
    ? '\nStatusCode        : 200\nStatusDescription : OK\nContent           : <html><body>It works.</body></html>\n'
    : 'Invoke-WebRequest : Unable to connect to the remote server';
};

const help: Command = () =>
  [
    'This machine knows: dir (ls), copy (cp), whoami, hostname, ipconfig, ping, curl (iwr), cls, help,',
    'and any program of this folder, such as  .\\LaZagne.exe all',
  ].join('\n');

const systemProgram =
  (name: string, print: (shell: Shell) => string): Command =>
  (shell, _, typed) => {
    shell.launchSystemProgram(name, typed);
    return print(shell);
  };

const commands = new Map<string, Command>([
  ...['dir', 'ls', 'gci', 'get-childitem'].map((name): [string, Command] => [name, dir]),
  ...['copy', 'cp', 'copy-item'].map((name): [string, Command] => [name, copy]),
  ...['curl', 'wget', 'iwr', 'invoke-webrequest'].map((name): [string, Command] => [name, webRequest]),
  ...['cls', 'clear', 'clear-host'].map((name): [string, Command] => [name, () => '\f']),
  ['help', help],
  ['ping', ping],
  ['whoami', systemProgram('whoami.exe', ({ userName }) => userName.toLowerCase())],
  ['hostname', systemProgram('hostname.exe', ({ hostname }) => hostname)],
  [
    'ipconfig',
    systemProgram('ipconfig.exe', ({ connected, internalIp }) =>
      [
        '',
        'Windows IP Configuration',
        '',
        'Ethernet adapter Ethernet:',
        '',
        `   IPv4 Address. . . . . . . . . . . : ${internalIp}`,
        '   Subnet Mask . . . . . . . . . . . : 255.255.255.0',
        `   Default Gateway . . . . . . . . . : ${connected ? internalIp.replace(/\d+$/, '1') : ''}`,
        '',
      ].join('\n'),
    ),
  ],
]);

function notRecognized(name: string): string {
  return [
    `${name} : The term '${name}' is not recognized as the name of a cmdlet, function, script file, or operable program.`,
    'Check the spelling of the name, or if a path was included, verify that the path is correct and try again.',
  ].join('\n');
}

/** What LaZagne prints on a machine that holds no password. */
export function lazagneBanner(user: string): string {
  return [
    '',
    '|====================================================================|',
    '|                                                                    |',
    '|                        The LaZagne Project                         |',
    '|                                                                    |',
    '|                          ! BANG BANG !                             |',
    '|                                                                    |',
    '|====================================================================|',
    '',
    '',
    `########## User: ${user} ##########`,
    '',
    '[+] 0 passwords have been found.',
    'For more information launch it again with the -v option',
    '',
    'elapsed time = 1.4218',
    '',
  ].join('\n');
}
