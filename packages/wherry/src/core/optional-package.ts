import { StorageError } from './errors.ts';

/**
 * A client library comes with those programs only that need it.
 * @returns what to `catch` the import of a module with that imports the library
 * @throws StorageError when it is the library that is missing
 */
export function installFirst(library: string): (error: unknown) => never {
  return (error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${library}'`)) throw error;
    throw new StorageError(`This store needs the package ${library}: npm install ${library}`, {
      code: 'STORAGE_OPEN',
      cause: error,
    });
  };
}
