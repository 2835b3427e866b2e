import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { Clock } from './core/clock.ts';
import type { Driver, Housekeeper } from './core/driver.ts';
import { DurabilitySplit } from './core/durability-split.ts';
import { StorageInUseError } from './core/errors.ts';
import { createLmdbDriver } from './drivers/lmdb/index.ts';
import { createMemoryDriver } from './drivers/memory/index.ts';
import type { Channel } from './drivers/remote/channel.ts';
import { connectSocket } from './drivers/remote/connect-socket.ts';
import { createDriverOver, socketChannel, StoreHost } from './drivers/remote/index.ts';
import { after } from './drivers/remote/timers.ts';

const SOCKET = 'store.sock';
/** Says where the socket is, when the folder's own path is too long for one. */
const SOCKET_PATH = 'store.sock.path';
/** Of all systems' limits on a socket's path, the least. Bytes. */
const SOCKET_PATH_MAX = 103;
/** When others cannot be let in, it is tried again after so long. Milliseconds. */
const LISTEN_AGAIN_MS = 500;
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
  #isClosed = false;
  #hasWarned = false;
  #stopWaiting: () => void = () => undefined;

  constructor(path: string, clock: Clock) {
    super(createLmdbDriver({ path, clock }), createMemoryDriver({ clock }), clock);
    this.#path = path;
  }

  /** Lets others in: not before there is somebody who sweeps for them. */
  entrust(housekeeper: Housekeeper): void {
    if (this.#host !== null) return;
    this.#host = new StoreHost({ driver: this, housekeeper });
    this.#listen(this.#host);
  }

  #listen(host: StoreHost): void {
    const server = createServer((socket) => host.accept(socketChannel(socket), { isLocal: true }));
    this.#server = server;
    server.on('error', (error) => {
      // One that listens goes on: it could only not take one more.
      if (server.listening) this.#warn(error);
      else this.#listenLater(host, error);
    });
    try {
      const socketPath = makeSocketPath(this.#path);
      server.listen(socketPath);
      // It is made by now, though nobody is let in before the next turn. If not, the error comes.
      if (existsSync(socketPath)) chmodSync(socketPath, 0o600);
    } catch (error) {
      server.close();
      this.#listenLater(host, error as Error);
    }
  }

  /** A disk that is full, or a folder that may not be written, may be mended. */
  #listenLater(host: StoreHost, error: Error): void {
    if (this.#isClosed) return;
    this.#warn(error);
    this.#stopWaiting();
    this.#stopWaiting = after(LISTEN_AGAIN_MS, () => this.#listen(host), { keepAlive: false });
  }

  /** Once: it is tried again and again. */
  #warn(error: Error): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    process.emitWarning(
      `Other processes cannot join the store '${this.#path}' (${error.message}). ` +
        'It is tried again until they can.',
      { type: 'WherryWarning', code: 'WHERRY_SHARE' },
    );
  }

  override async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWaiting();
    const server = this.#server;
    this.#server = null;
    // First the socket: whoever owns the folder next makes another one in its place.
    const closed = server && new Promise((done) => server.close(done));
    await this.#host?.close();
    await closed;
    try {
      if (server !== null) removeSocketPath(this.#path);
    } catch {
      // Nobody listens there; the next owner says so when it is in the way.
    }
    await super.close();
  }
}

/** @returns where the folder's owner listens, if there is one */
function socketOf(path: string): string {
  try {
    const elsewhere = readFileSync(join(path, SOCKET_PATH), 'utf8');
    // A full disk may have cut it short.
    if (basename(elsewhere) === SOCKET) return elsewhere;
  } catch {
    // It is in the folder.
  }
  return join(path, SOCKET);
}

/** @returns a path for the owner's socket; what an owner that died left there is gone */
function makeSocketPath(path: string): string {
  removeSocketPath(path);
  const socketPath = join(path, SOCKET);
  if (Buffer.byteLength(socketPath) <= SOCKET_PATH_MAX) return socketPath;
  // A name that others could guess, they could take before us.
  const elsewhere = join(mkdtempSync(join(tmpdir(), 'wherry-')), SOCKET);
  try {
    writeFileSync(join(path, SOCKET_PATH), elsewhere, { mode: 0o600 });
  } catch (error) {
    rmdirSync(dirname(elsewhere));
    throw error;
  }
  return elsewhere;
}

function removeSocketPath(path: string): void {
  const socketPath = socketOf(path);
  rmSync(socketPath, { force: true });
  rmSync(join(path, SOCKET_PATH), { force: true });
  if (dirname(socketPath) === path) return;
  try {
    rmdirSync(dirname(socketPath));
  } catch {
    // It is gone, or holds what is not ours.
  }
}
