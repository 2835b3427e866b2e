/** What calls are given: the arguments of the driver contract, each call's as one value. */
import type {
  BrowseRequest,
  Driver,
  LostIndexes,
  MoveItem,
  PublishItem,
  QueueRef,
  Receipt,
  ReleaseItem,
  TakeRequest,
} from '../../../core/driver.ts';
import { amount, type Codec, json, listOf, number, oneOf, struct, text, whole } from './codec.ts';
import { newDeath } from './message.ts';
import { queueRef } from './queue-ref.ts';

export const refs: Codec<readonly QueueRef[]> = listOf(queueRef);

export const receipt: Codec<Receipt> = struct<Receipt>({
  queue: queueRef,
  id: text,
  token: number,
});
export const lost: Codec<LostIndexes> = listOf(whole);

/** `undefined`, null and a value are three things: see `ReleaseItem.parked`. */
const parked: Codec<ReleaseItem['parked']> = {
  write: (out, value) => {
    out.u8(value === undefined ? 0 : value === null ? 1 : 2);
    if (value) newDeath.write(out, value);
  },
  read: (from) => [() => undefined, () => null, () => newDeath.read(from)][from.u8()]?.(),
};

const releaseParts: Codec<ReleaseItem> = struct<ReleaseItem>({
  receipt,
  delay: amount,
  as: oneOf(['retry', 'requeue', 'unstarted']),
  suspect: {
    write: (out, value) => out.u8(value === undefined ? 2 : Number(value)),
    read: (from) => [false, true][from.u8()],
  },
  parked,
});

export const releaseItem: Codec<ReleaseItem> = {
  write: (out, item) => releaseParts.write(out, { suspect: undefined, parked: undefined, ...item }),
  read: (from) => {
    const { suspect, parked: mark, ...item } = releaseParts.read(from);
    return {
      ...item,
      ...(suspect !== undefined && { suspect }),
      ...(mark !== undefined && { parked: mark }),
    };
  },
};

export const moveItem: Codec<MoveItem> = {
  write: (out, { receipt: held, targets, death }) => {
    receipt.write(out, held);
    refs.write(out, targets);
    out.flag(death !== undefined);
    if (death !== undefined) newDeath.write(out, death);
  },
  read: (from) => {
    const held = receipt.read(from);
    const targets = refs.read(from);
    return { receipt: held, targets, ...(from.flag() && { death: newDeath.read(from) }) };
  },
};

export const takeRequest: Codec<TakeRequest> = {
  write: (out, request) => {
    queueRef.write(out, request.queue);
    out.text(request.consumerId);
    out.varint(request.max);
    out.f64(request.leaseDuration);
    out.flag(request.bound);
    amount.write(out, request.perGroup);
    out.flag(request.ids !== undefined);
    if (request.ids !== undefined) listOf(text).write(out, request.ids);
  },
  read: (from) => ({
    queue: queueRef.read(from),
    consumerId: from.text(),
    max: from.varint(),
    leaseDuration: amount.read(from),
    bound: from.flag(),
    perGroup: amount.read(from),
    ...(from.flag() && { ids: listOf(text).read(from) }),
  }),
};

const browseRest: Codec<Omit<BrowseRequest, 'queue'>> = json((value) => {
  const { state, cursor, limit } = (value ?? {}) as Partial<BrowseRequest>;
  const isState = state === 'ready' || state === 'scheduled' || state === 'leased';
  const isCursor = cursor === undefined || typeof cursor === 'string';
  return isState && isCursor && Number.isInteger(limit);
});

export const browseRequest: Codec<BrowseRequest> = {
  write: (out, { queue, state, cursor, limit }) => {
    queueRef.write(out, queue);
    out.json({ state, cursor, limit });
  },
  read: (from) => ({ queue: queueRef.read(from), ...browseRest.read(from) }),
};

export interface PublishRequest {
  readonly items: readonly PublishItem[];
  readonly atomic: boolean;
}

export interface TopologyPut {
  readonly kind: string;
  readonly name: string;
  readonly value: unknown;
  readonly expectedVersion: number;
}

export type TopologyRemove = Omit<TopologyPut, 'value'>;
export type DeleteRequest = { readonly queue: QueueRef; readonly onlyIfEmpty: boolean };
export type Deletion = Awaited<ReturnType<Driver['deleteQueue']>>;

export const anything: Codec<unknown> = {
  // JSON has no undefined: as a server's store does, it comes back as null.
  write: (out, value) => out.json(value ?? null),
  read: (from) => from.json(),
};
