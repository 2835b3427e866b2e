import { AlarmError } from '../../protocols/http/errors.ts';
import type { BrokerContext } from './context.ts';

/** @throws AlarmError while the broker is short of something: it takes no messages then */
export function refuseIfAlarmed({ alarms }: Pick<BrokerContext, 'alarms'>): void {
  const [alarm] = alarms.active();
  if (alarm !== undefined) throw new AlarmError(alarm.detail);
}
