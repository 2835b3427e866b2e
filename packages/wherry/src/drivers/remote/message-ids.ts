import { randomBytes } from 'node:crypto';
import { wallTime } from './timers.ts';

/** The counter has 24 bits: enough for a millisecond. */
const COUNTS = 2 ** 24;

/**
 * Makes ids for messages before they are stored: UUIDv7 (RFC 9562, section 5.7) without dashes. They
 * grow, which keeps a store's index of them small; what tells two makers apart is drawn once.
 */
export function idMaker(): () => string {
  const own = randomBytes(6).toString('hex');
  let time = 0;
  let digits = '';
  let count = 0;
  return () => {
    const now = wallTime();
    // A clock that is set back does not make the ids go back.
    if (now > time) {
      time = now;
      digits = time.toString(16).padStart(12, '0');
      count = 0;
    }
    count = (count + 1) % COUNTS;
    const counted = count.toString(16).padStart(6, '0');
    return `${digits}7${counted.slice(0, 3)}8${counted.slice(3)}${own}`;
  };
}
