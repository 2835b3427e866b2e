/**
 * `npm run lock`: brings package-lock.json up to date and completes it. npm leaves out the optional
 * packages, one for each platform, that its registry does not have, and `npm ci` then refuses the
 * file on every platform. The names and versions are those that the parents ask for.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface LockedPackage {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

interface Lockfile {
  packages: Record<string, LockedPackage>;
}

const systems = new Set(['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']);
const processors = new Set(['arm', 'arm64', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64']);
const libraries: Record<string, string> = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl' };

/** Reads where a package runs from its name, such as `@oxlint/binding-linux-x64-musl`. */
function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => systems.has(word));
  const cpu = words.filter((word) => processors.has(word));
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`${name} does not name its platform`);
  const libc = words.flatMap((word) => libraries[word.replace('musleabihf', 'musl')] ?? []);
  return os.includes('linux') && libc.length > 0 ? { os, cpu, libc } : { os, cpu };
}

const lockfile = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lockfile;
const { packages } = lockfile;
const added: Record<string, LockedPackage> = {};
for (const { dev, optionalDependencies = {} } of Object.values(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const path = `node_modules/${name}`;
    const isLocked = Object.keys(packages).some((other) => other.endsWith(path));
    if (isLocked) continue;
    const { os, cpu, libc } = platformOf(name);
    // In the order in which npm writes them; JSON leaves out what is undefined.
    added[path] = { version, cpu, dev, libc, optional: true, os };
  }
}

lockfile.packages = Object.fromEntries(
  Object.entries({ ...packages, ...added }).toSorted(([a], [b]) => (a < b ? -1 : 1)),
);
writeFileSync('package-lock.json', `${JSON.stringify(lockfile, null, 2)}\n`);
console.log(`${Object.keys(added).length} packages of other platforms added to package-lock.json`);
