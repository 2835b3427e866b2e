import { AmqpError } from '../../../protocols/amqp/errors.ts';
import type { MethodArguments } from '../../../protocols/amqp/methods.ts';
import type { AmqpConfig } from '../../../config/config.ts';

export type Tune = MethodArguments['connection.tune'];

/** Shorter frames are nobody's wish: the specification forbids them. */
const FRAME_MIN = 4_096;

/** @returns what the broker offers */
export function offeredTune({ channelMax, frameMax, heartbeat }: AmqpConfig): Tune {
  return { channelMax, frameMax, heartbeat: heartbeat / 1_000 };
}

/**
 * @param wish what the client wants of what was offered
 * @returns what holds from now on
 * @throws AmqpError 530 when it wants more, or less than is sensible
 */
export function agreeOnTune(offered: Tune, wish: Tune): Tune {
  checkWithin('frame_max', wish.frameMax, FRAME_MIN, offered.frameMax);
  checkWithin('channel_max', wish.channelMax, 1, offered.channelMax);
  return wish;
}

function checkWithin(field: string, value: number, min: number, max: number): void {
  const refuse = (shown: string, than: string, bound: string, limit: number): never => {
    throw new AmqpError(
      'not-allowed',
      `negotiated ${field} = ${shown} is ${than} than the ${bound} allowed value (${limit})`,
    );
  };
  if (value === 0) refuse('0 (no limit)', 'higher', 'maximum', max);
  if (value < min) refuse(String(value), 'lower', 'minimum', min);
  if (value > max) refuse(String(value), 'higher', 'maximum', max);
}
