import { type FSWatcher, readFileSync, watch } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { type SecureContextOptions, type Server as TlsServer, createSecureContext } from 'node:tls';
import { ValidationError } from 'wherry';

/** Files of the certificate, as the configuration names them. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** Files change one after the other: they are read when nothing has changed for so long. */
const SETTLED_MS = 300;

/** @throws ValidationError when a file cannot be read, or both do not belong together */
export function readTls({ cert, key, minVersion }: TlsFiles): SecureContextOptions {
  const options = {
    cert: readPem(cert, 'tls.cert'),
    key: readPem(key, 'tls.key'),
    minVersion,
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new ValidationError(
      `tls.cert '${cert}' and tls.key '${key}' cannot be used: ${(error as Error).message}. ` +
        'Both must be PEM, and the key that of the first certificate.',
      { cause: error },
    );
  }
  return options;
}

/** @param key of the configuration, for the error @throws ValidationError when it cannot be read */
export function readPem(file: string, key: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ValidationError(`${key} '${file}' cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Connections that begin from now on get this certificate; those that are open go on with theirs. */
export function renewTls(server: Server, renewed: SecureContextOptions): void {
  (server as unknown as TlsServer).setSecureContext(renewed);
}

/**
 * Calls back when one of the files may have changed. Their folders are watched, since who renews a
 * certificate puts new files, or a link, in the place of the old.
 * @returns how to stop
 */
export function watchTls({ cert, key }: TlsFiles, changed: () => void): () => void {
  let settled: NodeJS.Timeout | undefined;
  const notice = (): void => {
    clearTimeout(settled);
    settled = setTimeout(changed, SETTLED_MS).unref();
  };
  const watchers = [...new Set([dirname(cert), dirname(key)])].map((folder): FSWatcher => {
    const watcher = watch(folder, { persistent: false }, notice);
    // The folder is gone: there is nothing to read. SIGHUP remains.
    watcher.on('error', () => watcher.close());
    return watcher;
  });
  return () => {
    clearTimeout(settled);
    for (const watcher of watchers) watcher.close();
  };
}
