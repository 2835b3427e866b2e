import { ALARM_KINDS, Alarms } from './alarms/alarms.ts';
import { Watermarks } from './alarms/watermarks.ts';
import type { BrokerConfig } from './config/config.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { storeFolder } from './vhosts/place.ts';

/** A broker's alarms, told in its log and its metrics, and what raises them once it is started. */
export function makeAlarms(
  { store, limits }: BrokerConfig,
  telemetry: Telemetry,
): { alarms: Alarms; watermarks: Watermarks } {
  const { logger, metrics } = telemetry;
  const alarms = new Alarms();
  alarms.watch({
    raised: ({ kind, detail }) => logger.warn({ alarm: kind }, detail),
    cleared: (kind) => logger.info({ alarm: kind }, 'The alarm is over'),
  });
  metrics.watchEach('alarm', '1 while the broker takes no messages for this', 'kind', () =>
    ALARM_KINDS.map((kind) => [kind, alarms.has(kind) ? 1 : 0]),
  );
  const { diskFree, memory } = limits;
  const watermarks = new Watermarks({
    alarms,
    folder: storeFolder(store),
    diskFree,
    memory,
    failed: (what, error) => logger.warn({ err: error }, `The ${what} could not be looked at`),
  });
  telemetry.onStoreError(({ code, message }) => {
    if (code === 'STORAGE_FULL') watermarks.storeFull(message);
  });
  return { alarms, watermarks };
}
