import { installCommand, missingPackages } from '../../../../scripts/system-packages.ts';

/**
 * Faults are made with the system's own means. Where they are missing a test fails, for a test that
 * skips itself proves nothing.
 * @throws Error that says what to install, or that only root can do this
 */
export function requireFaultTools(): void {
  const missing = missingPackages();
  if (missing.length > 0) {
    throw new Error(
      `This test needs Debian packages that are not installed: ${missing.join(', ')}. ` +
        `Install them with: ${installCommand(missing)}`,
    );
  }
}

/** @throws Error unless this process may mount file systems */
export function requireMounting(): void {
  requireFaultTools();
  if (process.getuid?.() !== 0) {
    throw new Error('This test mounts file systems, which only root may do. Run it as root.');
  }
}
