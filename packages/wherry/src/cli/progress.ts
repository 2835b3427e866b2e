import type { Writable } from 'node:stream';
import { isTerminal } from './output.ts';

/** What is shown while a long command runs. */
export interface Progress {
  /** @param done in the unit of `total`; @param label is shown beside the bar */
  update(done: number, label: string): void;
  /** Clears the line, so that `text` can be written in its place; the bar comes back by itself. */
  interrupt(): void;
  stop(): void;
}

const SILENT: Progress = { update: () => {}, interrupt: () => {}, stop: () => {} };

/**
 * A bar on a terminal, nothing elsewhere: logs are not to be filled with it.
 * @param total what `done` will come to; null: unknown, and only the label is shown
 */
export async function startProgress(stream: Writable, total: number | null): Promise<Progress> {
  return (await prepareProgress(stream))(total);
}

/** The same for a total that is known later: the function that is answered starts the bar. */
export async function prepareProgress(
  stream: Writable,
): Promise<(total: number | null) => Progress> {
  if (!isTerminal(stream)) return () => SILENT;
  const { default: cliProgress } = await import('cli-progress');
  return (total) => {
    const bar = new cliProgress.SingleBar(
      {
        stream,
        format:
          total === null
            ? '  {label}'
            : '  [{bar}] {percentage}%  {label}  about {eta_formatted} left',
        barsize: 30,
        clearOnComplete: true,
        hideCursor: true,
        fps: 5,
      },
      cliProgress.Presets.legacy,
    );
    bar.start(total ?? 1, 0, { label: '' });
    return {
      update: (done, label) => bar.update(total === null ? 0 : Math.min(done, total), { label }),
      interrupt: () => void stream.write('\r\u001b[K'),
      stop: () => bar.stop(),
    };
  };
}
