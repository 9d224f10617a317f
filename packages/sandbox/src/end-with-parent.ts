import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends a child, and removes its temporary folder where it has one, also when this process is killed: a shell waits on a
 * pipe that the system closes with us. Windows has no such shell; there an orderly exit has to do.
 */
export function endWithParent(child: ChildProcess, temporaryDir = ''): { forget(): void } {
  if (process.platform === 'win32') {
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    return { forget: () => void process.off('exit', kill) };
  }
  const script = 'read -r _ || { kill -9 "$1" 2>/dev/null; [ -z "$2" ] || { sleep 0.2; rm -rf -- "$2"; }; }';
  const watcher = spawn('sh', ['-c', script, 'cordon-watcher', String(child.pid), temporaryDir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.on('error', () => undefined); // no shell: an unwatched child still works
  watcher.unref();
  watcher.stdin.on('error', () => undefined);
  return { forget: () => void (watcher.stdin.writableEnded || watcher.stdin.end('\n')) };
}
