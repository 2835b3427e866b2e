import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisClient } from './options.ts';

/** The Lua files that are run, by name; the others in `lua/` are included by these. */
export type ScriptName =
  | 'browse'
  | 'commit'
  | 'conclude'
  | 'counts'
  | 'delete-queue'
  | 'depart'
  | 'due-claim'
  | 'due-note'
  | 'extend'
  | 'follow'
  | 'get'
  | 'inspect'
  | 'inspect-part'
  | 'judge'
  | 'leave'
  | 'move'
  | 'overdue'
  | 'partition'
  | 'publish'
  | 'purge'
  | 'put-out'
  | 'release'
  | 'reserve'
  | 'reveal'
  | 'set-numbers'
  | 'settle'
  | 'sweep'
  | 'take'
  | 'topology-load'
  | 'topology-put'
  | 'topology-remove';

export type ScriptArgument = string | number | Buffer;

/**
 * Whose answer is remembered for a while, under an id of the call: such a call may be made again
 * when its answer was lost, and is carried out once. (What a lost take has leased becomes free by
 * itself.)
 */
const REMEMBERED: ReadonlySet<ScriptName> = new Set<ScriptName>([
  'commit',
  'delete-queue',
  'depart',
  'extend',
  'judge',
  'leave',
  'move',
  'partition',
  'publish',
  'purge',
  'put-out',
  'release',
  'reserve',
  'reveal',
  'settle',
  'topology-put',
  'topology-remove',
]);

/** Of the others, those that replicas are to have as well. */
const REPLICATED: ReadonlySet<ScriptName> = new Set<ScriptName>(['due-note', 'sweep', 'take']);

/** Where every script finds the id of its call; '' for none. */
const CALL_ID_ARGUMENT = 6;

/** Far longer than a call is tried again. Milliseconds. */
const REMEMBERED_MS = 60_000;

/** A script's text and what there is to know of it. */
interface Script {
  readonly text: string;
  readonly digest: string;
  readonly isRemembered: boolean;
  /** Replicas are to know of it: all that is remembered, who holds what, and what is due when. */
  readonly isReplicated: boolean;
}

const scripts = new Map<ScriptName, Script>();

/**
 * In a cluster, a call declares one key more, which no script is to see: neither key is ever there,
 * and of two such keys a node whose slot is on the move says that one is to try again later. Of one,
 * it would send us to where the slot goes, with a half of its keys.
 */
const UNDECLARE = "if ARGV[3] == '' then KEYS[#KEYS] = nil end\n";

/** @returns the script, read from its file the first time */
export function script(name: ScriptName): Script {
  const known = scripts.get(name);
  if (known !== undefined) return known;
  const isRemembered = REMEMBERED.has(name);
  const body = compose(name, new Set());
  const text = `${UNDECLARE}${isRemembered ? remembering(body) : body}`;
  const digest = createHash('sha1').update(text).digest('hex');
  const isReplicated = isRemembered || REPLICATED.has(name);
  const made = { text, digest, isRemembered, isReplicated };
  scripts.set(name, made);
  return made;
}

/**
 * Runs a script by its digest. A server that does not know it (any more: it was restarted or
 * flushed, or it is another since a failover) is given its text.
 * @param keys all in one slot
 * @param waitFor how many replicas are to have what it wrote, and for how many milliseconds to wait
 * @returns its answer, bulk strings as Buffers; and how many replicas have it
 */
export async function runScript(
  client: RedisClient,
  { text, digest }: Script,
  keys: readonly string[],
  args: readonly ScriptArgument[],
  waitFor: { readonly replicas: number; readonly ms: number },
): Promise<{ readonly answer: unknown; readonly replicas: number }> {
  const run = async (command: string, what: string): Promise<unknown> => {
    const words = [what, keys.length, ...keys, ...args];
    if (waitFor.replicas === 0) return client.callBuffer(command, words);
    return runAndWait(client, [command, ...words], waitFor);
  };
  let answer: unknown;
  try {
    answer = await run('EVALSHA', digest);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    answer = await run('EVAL', text);
  }
  if (waitFor.replicas === 0) return { answer, replicas: 0 };
  return answer as { answer: unknown; replicas: number };
}

/** WAIT speaks of what its connection wrote before: both go over one, in one write. */
async function runAndWait(
  client: RedisClient,
  [command, ...words]: readonly [string, ...ScriptArgument[]],
  { replicas, ms }: { readonly replicas: number; readonly ms: number },
): Promise<{ readonly answer: unknown; readonly replicas: number }> {
  const results = await client
    .pipeline()
    .callBuffer(command, words)
    .call('WAIT', [replicas, ms])
    .exec();
  for (const [error] of results ?? []) if (error !== null) throw error;
  const [answer, waited] = (results ?? []).map(([, value]) => value);
  return { answer, replicas: Number(waited) };
}

/** Puts what a file includes in the place of the line that says so, each file once. */
function compose(name: string, included: Set<string>): string {
  included.add(name);
  const text = readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8');
  return text.replace(/^--@include ([\w-]+)$/gm, (_line, other: string) =>
    included.has(other) ? '' : compose(other, included),
  );
}

/**
 * A call whose id is known was carried out before: it answers what it answered then. (It writes
 * even so, for WAIT to have something to wait for.)
 */
function remembering(body: string): string {
  return `local call = ARGV[${CALL_ID_ARGUMENT}] ~= '' and KEYS[1] .. 'call:' .. ARGV[${CALL_ID_ARGUMENT}]
if call then
  local known = redis.call('GET', call)
  if known then
    redis.call('PEXPIRE', call, ${REMEMBERED_MS})
    return cmsgpack.unpack(known)
  end
end
local answer = (function()
${body}
end)()
if call then redis.call('SET', call, cmsgpack.pack(answer), 'PX', ${REMEMBERED_MS}) end
return answer
`;
}
