import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Clock } from './core/clock.ts';
import type { Driver, Housekeeper } from './core/driver.ts';
import { DurabilitySplit } from './core/durability-split.ts';
import { StorageInUseError } from './core/errors.ts';
import { createLmdbDriver } from './drivers/lmdb/index.ts';
import { createMemoryDriver } from './drivers/memory/index.ts';
import type { Channel } from './drivers/remote/channel.ts';
import { connectSocket } from './drivers/remote/connect-socket.ts';
import { createDriverOver, socketChannel, StoreHost } from './drivers/remote/index.ts';

const SOCKET = 'store.sock';
/** Says where the socket is, when the folder's own path is too long for one. */
const SOCKET_PATH = 'store.sock.path';
/** Of all systems' limits on a socket's path, the least. Bytes. */
const SOCKET_PATH_MAX = 103;
/** Nobody listens: the owner is gone, or was never there. */
const NO_OWNER: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ECONNREFUSED']);

/**
 * A folder that several processes of one machine have open. The first owns it and serves the others,
 * over a socket in the folder; when it is gone, one of the others takes its place.
 */
export function createSharedFolderDriver(options: {
  readonly path: string;
  readonly clock: Clock;
}): Driver {
  const path = resolve(options.path);
  const attempt = async (signal: AbortSignal): Promise<Channel | Driver> => {
    try {
      return await connectSocket(socketOf(path), signal);
    } catch (error) {
      if (!NO_OWNER.has((error as NodeJS.ErrnoException).code)) throw error;
    }
    const { clock } = options;
    const owner = new FolderOwner(path, clock);
    try {
      await owner.open();
    } catch (error) {
      // Its owner has only just begun, or is about to end.
      if (error instanceof StorageInUseError) throw new Error(error.message, { cause: error });
      throw error;
    }
    return owner;
  };
  return createDriverOver(`'${path}'`, attempt);
}

/** The store of a folder, served to the folder's other processes. */
class FolderOwner extends DurabilitySplit {
  readonly #path: string;
  #host: StoreHost | null = null;
  #server: Server | null = null;

  constructor(path: string, clock: Clock) {
    super(createLmdbDriver({ path, clock }), createMemoryDriver({ clock }), clock);
    this.#path = path;
  }

  /** Lets others in: not before there is somebody who sweeps for them. */
  entrust(housekeeper: Housekeeper): void {
    if (this.#host !== null) return;
    const host = new StoreHost({ driver: this, housekeeper });
    this.#host = host;
    this.#server = createServer((socket) => host.accept(socketChannel(socket), { isLocal: true }));
    this.#server.on('error', (error) => {
      process.emitWarning(
        `Other processes cannot join the store '${this.#path}' (${error.message}).`,
        { type: 'WherryWarning', code: 'WHERRY_SHARE' },
      );
    });
    const socketPath = makeSocketPath(this.#path);
    this.#server.listen(socketPath);
    // It is made by now, though nobody is let in before the next turn. If not, the error comes.
    if (existsSync(socketPath)) chmodSync(socketPath, 0o600);
  }

  override async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    // First the socket: whoever owns the folder next makes another one in its place.
    const closed = server && new Promise((done) => server.close(done));
    await this.#host?.close();
    await closed;
    if (server !== null) removeSocketPath(this.#path);
    await super.close();
  }
}

/** @returns where the folder's owner listens, if there is one */
function socketOf(path: string): string {
  try {
    return readFileSync(join(path, SOCKET_PATH), 'utf8');
  } catch {
    return join(path, SOCKET);
  }
}

/** @returns a path for the owner's socket; what an owner that died left there is gone */
function makeSocketPath(path: string): string {
  removeSocketPath(path);
  const socketPath = join(path, SOCKET);
  if (Buffer.byteLength(socketPath) <= SOCKET_PATH_MAX) return socketPath;
  // A name that others could guess, they could take before us.
  const elsewhere = join(mkdtempSync(join(tmpdir(), 'wherry-')), SOCKET);
  writeFileSync(join(path, SOCKET_PATH), elsewhere, { mode: 0o600 });
  return elsewhere;
}

function removeSocketPath(path: string): void {
  const socketPath = socketOf(path);
  rmSync(socketPath, { force: true });
  if (dirname(socketPath) === path) return;
  rmSync(dirname(socketPath), { force: true, recursive: true });
  rmSync(join(path, SOCKET_PATH), { force: true });
}
