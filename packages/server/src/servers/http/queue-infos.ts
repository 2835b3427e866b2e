import { type MessageQueueSystem, type QueueInfo, QueueNotFoundError } from 'wherry';

/** Queues that are looked at together: more would only wait for each other. */
const LOOKS = 64;

/** @returns those of the queues that are there, in their order: some may have been deleted meanwhile */
export async function infosOf(
  mq: MessageQueueSystem,
  names: readonly string[],
): Promise<QueueInfo[]> {
  const infos: (QueueInfo | null)[] = [];
  for (let begin = 0; begin < names.length; begin += LOOKS) {
    const some = names.slice(begin, begin + LOOKS).map((name) =>
      mq.getQueueInfo(name).catch((error: unknown) => {
        if (error instanceof QueueNotFoundError) return null;
        throw error;
      }),
    );
    infos.push(...(await Promise.all(some)));
  }
  return infos.filter((info) => info !== null);
}
