/** Something waited for that can be given up. */
export interface Wait {
  /** Resolves when woken or cancelled. */
  readonly done: Promise<void>;
  readonly cancel: () => void;
}

/**
 * Begins to wait for a call.
 * @param listen registers the call; what it returns takes it back
 */
export function waitFor(listen: (wake: () => void) => () => void): Wait {
  let cancel = (): void => {};
  const done = new Promise<void>((resolve) => {
    const stop = listen(() => cancel());
    cancel = () => {
      stop();
      resolve();
    };
  });
  return { done, cancel: () => cancel() };
}
