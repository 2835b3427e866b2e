import type { Connection } from './connection.ts';
import type { Finding } from './surroundings.ts';

/** How many messages a queue has, by state, and their bytes. */
interface Numbers {
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
}

interface QueueRow {
  readonly number: number;
  /** Null: it is not in the topology. */
  readonly name: string | null;
  /** It is in the topology, but nothing can be stored in it. */
  readonly isMissing: boolean;
}

/** A queue as one snapshot shows it. */
interface ScanRow {
  /** JSON of Numbers. */
  readonly stored: string;
  readonly counted: string;
  /** Messages that are leased, but by no lease: JSON of their lanes and sequences. */
  readonly unheld: string;
  /** Lanes in which messages wait, but nobody looks: JSON. */
  readonly unlisted: string;
}

const QUEUES = `
  SELECT coalesce(queue.number, entry.number) AS number, entry.name,
    queue.number IS NULL AS "isMissing"
  FROM wherry.queue AS queue
  FULL JOIN (SELECT * FROM wherry.topology WHERE kind = 'queue') AS entry USING (number)
  ORDER BY 1`;

const SCAN = `
  WITH
    line AS (SELECT * FROM wherry.frontier WHERE queue = $1 ORDER BY version DESC LIMIT 1),
    seen AS MATERIALIZED (
      SELECT message.lane, message.sequence, message.bytes, message.place,
        wherry.state_of(message, line) AS state
      FROM line CROSS JOIN wherry.message WHERE message.queue = $1
    ),
    held AS (SELECT unnest(sequences) AS sequence FROM wherry.lease WHERE queue = $1)
  SELECT
    (SELECT json_build_object(
       'ready', count(*) FILTER (WHERE state = 'ready'),
       'scheduled', count(*) FILTER (WHERE state = 'scheduled'),
       'leased', count(*) FILTER (WHERE state = 'leased'),
       'bytes', coalesce(sum(bytes), 0)) FROM seen)::text AS stored,
    (SELECT row_to_json(total) FROM wherry.totals($1) AS total)::text AS counted,
    (SELECT coalesce(json_agg(json_build_array(lane, sequence)), '[]') FROM seen
     WHERE state = 'leased' AND sequence NOT IN (SELECT sequence FROM held))::text AS unheld,
    (SELECT coalesce(json_agg(DISTINCT lane), '[]') FROM seen
     WHERE place IS NULL AND lane NOT IN (SELECT lane FROM wherry.lane WHERE queue = $1))::text
      AS unlisted`;

export interface ExaminationOptions {
  readonly repair: boolean;
  /** @param messages how many were looked at so far */
  readonly onProgress: (messages: number) => void;
}

export interface Examined {
  readonly queues: number;
  readonly messages: number;
  /** What contradicts something else in the store; mended ones too. */
  readonly problems: readonly Finding[];
  readonly repaired: number;
}

/** Goes through every message, a queue at a time; each queue is seen as it is at one moment. */
export async function examineQueues(
  connection: Connection,
  { repair, onProgress }: ExaminationOptions,
): Promise<Examined> {
  const queues = await connection.query<QueueRow>(QUEUES);
  const problems: Finding[] = [];
  let messages = 0;
  let repaired = 0;
  for (const queue of queues) {
    const examination = new QueueExamination(connection, queue, repair);
    messages += await examination.run();
    problems.push(...examination.problems);
    repaired += examination.repaired;
    onProgress(messages);
  }
  return { queues: queues.length, messages, problems, repaired };
}

class QueueExamination {
  readonly problems: Finding[] = [];
  repaired = 0;
  readonly #connection: Connection;
  readonly #number: number;
  readonly #name: string;
  readonly #queue: QueueRow;
  readonly #repair: boolean;

  constructor(connection: Connection, queue: QueueRow, repair: boolean) {
    this.#connection = connection;
    this.#queue = queue;
    this.#number = queue.number;
    this.#name = queue.name === null ? `number ${queue.number}` : `'${queue.name}'`;
    this.#repair = repair;
  }

  /** @returns how many messages it has */
  async run(): Promise<number> {
    const { name, isMissing } = this.#queue;
    if (name === null) {
      this.#found('queue-without-entry', 'is stored, but not in the topology');
    }
    if (isMissing) {
      await this.#mend(
        'entry-without-queue',
        'is in the topology, but nothing can be stored in it',
        ['SELECT wherry.create_queue($1)', [this.#number]],
      );
    }
    // A scan takes as long as it takes.
    const [row] = await this.#connection.transaction((query) =>
      query<ScanRow>(SCAN, [this.#number]),
    );
    const stored = JSON.parse(row!.stored) as Numbers;
    const counted = JSON.parse(row!.counted) as Numbers | null;
    if (counted !== null && !isMissing) await this.#checkCounters(stored, counted);
    await this.#checkLeases(JSON.parse(row!.unheld) as [number, number][]);
    await this.#checkLanes(JSON.parse(row!.unlisted) as number[]);
    return stored.ready + stored.scheduled + stored.leased;
  }

  /** The difference is added, so that what changes meanwhile stays counted. */
  async #checkCounters(stored: Numbers, counted: Numbers): Promise<void> {
    const fields = ['ready', 'scheduled', 'leased', 'bytes'] as const;
    const wrong = fields.filter((field) => stored[field] !== counted[field]);
    if (wrong.length === 0) return;
    const what = wrong
      .map((field) => `${stored[field]} ${field}, not ${counted[field]}`)
      .join('; ');
    await this.#mend('counters', `has ${what}`, [
      'SELECT wherry.count_change($1, ROW($2::bigint, $3::bigint, $4::bigint, $5::bigint, 0)::wherry.change)',
      [this.#number, ...fields.map((field) => stored[field] - counted[field])],
    ]);
  }

  /** They get a lease that has ended: the next sweep decides on them as after a crash. */
  async #checkLeases(unheld: readonly (readonly [number, number])[]): Promise<void> {
    if (unheld.length === 0) return;
    await this.#mend('unheld', `has ${unheld.length} leased message(s) in no lease`, [
      `SELECT wherry.lock_taking(ARRAY[$1::int]), wherry.lease_out(
         $1, ROW($2::int[], $3::bigint[])::wherry.keys, 0, '#doctor', 'lease-expired', true)`,
      [this.#number, unheld.map(([lane]) => lane), unheld.map(([, sequence]) => sequence)],
    ]);
  }

  async #checkLanes(unlisted: readonly number[]): Promise<void> {
    if (unlisted.length === 0) return;
    await this.#mend('unlisted', `has messages in ${unlisted.length} lane(s) where nobody looks`, [
      'SELECT wherry.list_lane($1, lane) FROM unnest($2::int[]) AS lane',
      [this.#number, unlisted],
    ]);
  }

  #found(code: string, message: string): void {
    this.problems.push({ code, message: `Queue ${this.#name} ${message}.` });
  }

  async #mend(
    code: string,
    message: string,
    [text, values]: readonly [string, readonly unknown[]],
  ): Promise<void> {
    this.#found(code, message);
    if (!this.#repair) return;
    await this.#connection.query(text, values);
    this.repaired += 1;
  }
}
