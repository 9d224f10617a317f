import { expect, test } from 'vitest';
import { maskSecrets } from './mask-secrets.ts';

test.each([
  ['tool.exe password=hunter2 /all', 'tool.exe password=*** /all'],
  ['tool.exe --password "hunter2 three" x', 'tool.exe --password *** x'],
  ['tool.exe -p hunter2', 'tool.exe -p ***'],
  ['tool.exe /pwd:hunter2', 'tool.exe /pwd:***'],
  ['curl -u ada:hunter2 x', 'curl -u ada:*** x'],
  ['git clone https://ada:hunter2@git.example/x', 'git clone https://ada:***@git.example/x'],
  ['curl -H "Authorization: Bearer abc.def"', 'curl -H "Authorization: Bearer ***"'],
  ['set API_KEY = hunter2', 'set API_KEY = ***'],
  ['tool {"client_secret": "hunter2"}', 'tool {"client_secret": ***}'],
  ['net user ada hunter2 /add', 'net user ada *** /add'],
  ['tool xoxb-123-abc', 'tool ***'],
])('%s', (commandLine, masked) => {
  expect(maskSecrets(commandLine)).toBe(masked);
});

test('leaves what is no secret', () => {
  for (const plain of [
    'LaZagne.exe all -oN',
    'powershell -ExecutionPolicy Bypass -File x.ps1',
    'ping -n 3 10.0.0.1',
    'net user ada /delete',
  ]) {
    expect(maskSecrets(plain)).toBe(plain);
  }
});

test('takes no time on a hostile line', () => {
  const before = performance.now();
  for (const piece of ['password', 'a-', '--p ', '://a', "'", '"', 'x:'])
    maskSecrets(piece.repeat(32_768 / piece.length));
  expect(performance.now() - before).toBeLessThan(2000);
});
