/**
 * Calls each listener. What one throws becomes a warning of the process: it is no fault of whoever
 * tells, and keeps nothing from the others.
 */
export function tellAll<Args extends readonly unknown[]>(
  listeners: Iterable<(...args: Args) => void>,
  ...args: Args
): void {
  for (const listener of listeners) {
    try {
      listener(...args);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
}
