import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { requireMounting } from './machine.ts';

export type FileSystem = 'ext4' | 'xfs';

const MIB = 1024 * 1024;
/** xfs refuses less. The file is sparse. */
const XFS_SIZE_MIN = 300 * MIB;
const UNMOUNT_TRIES = 20;
const MOUNT_TRIES = 60;

const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** A file system of its own in a file, whose power can be cut. */
export class LoopImage {
  /** Where it is mounted. */
  readonly folder: string;
  readonly #home: string;
  readonly #file: string;
  #isMounted = false;

  private constructor() {
    this.#home = mkdtempSync(join(tmpdir(), 'wherry-fault-image-'));
    this.#file = join(this.#home, 'image');
    this.folder = join(this.#home, 'mounted');
    mkdirSync(this.folder);
  }

  /**
   * Makes and mounts one that is gone after the test, however that ends.
   * @param size in bytes
   */
  static create(test: TestContext, fileSystem: FileSystem, size: number = XFS_SIZE_MIN): LoopImage {
    requireMounting();
    const image = new LoopImage();
    const remove = (): void => image.#remove();
    // A runner that gives a test up ends its process, and `after` does not come.
    const end = (): never => process.exit(1);
    process.once('exit', remove).once('SIGTERM', end).once('SIGINT', end);
    test.after(() => {
      process.off('exit', remove).off('SIGTERM', end).off('SIGINT', end);
      remove();
    });
    writeFileSync(image.#file, '');
    truncateSync(image.#file, size);
    run(`mkfs.${fileSystem}`, '-q', image.#file);
    image.mount();
    return image;
  }

  /** As a machine does that starts again: the file system's journal is played. */
  mount(): void {
    for (let tries = 1; ; tries++) {
      // A device that `mount` itself sets up is given back by `umount`.
      run('mount', '-o', 'loop', this.#file, this.folder);
      this.#isMounted = true;
      try {
        rmdirSync(mkdtempSync(join(this.folder, 'alive-')));
        return;
      } catch (error) {
        // Whoever on this machine made a mount namespace meanwhile has the one without power still,
        // and the kernel gives it to us again.
        if (tries === MOUNT_TRIES) throw error;
        this.unmount();
        execFileSync('sleep', ['0.5']);
      }
    }
  }

  /** @throws Error while a process uses it */
  unmount(): void {
    if (!this.#isMounted) return;
    for (let tries = 1; ; tries++) {
      try {
        run('umount', this.folder);
        break;
      } catch (error) {
        // The kernel may still be taking a killed process apart.
        if (tries === UNMOUNT_TRIES) throw error;
        execFileSync('sleep', ['0.05']);
      }
    }
    this.#isMounted = false;
  }

  /** From now on nothing reaches the disk: what was not synced is lost. */
  cutPower(): void {
    run('xfs_io', '-x', '-c', 'shutdown', this.folder);
  }

  #remove(): void {
    try {
      this.unmount();
    } catch {
      // It is gone when its last user is.
      run('umount', '--lazy', this.folder);
      this.#isMounted = false;
    }
    rmSync(this.#home, { recursive: true, force: true });
  }
}

function run(program: string, ...args: readonly string[]): void {
  try {
    execFileSync(program, args, { env: { ...process.env, PATH }, stdio: 'pipe', timeout: 20_000 });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: Buffer | string };
    throw new Error(
      `'${program} ${args.join(' ')}' failed: ${String(stderr).trim()}. ` +
        'These tests need loop devices (in a container: run it privileged).',
      { cause: error },
    );
  }
}
