import type { OpenContender } from '../contenders/contender.ts';
import type { Contest, Metric, RunContext, Runner, Unit } from '../harness/benchmark.ts';
import { type ServerKind, startServer } from '../harness/server.ts';
import { measureLatency, measureRates } from './server-load.ts';

/** A library, and how much work tells its rates. */
export interface Entrant {
  readonly open: OpenContender;
  /** Of 100 bytes; of larger ones, half as many. */
  readonly messages: number;
  readonly needs?: 'node 22';
}

export interface Peer extends Entrant {
  /** The figure that stands for another, where the library's best way is another than ours. */
  readonly best?: Readonly<Record<string, string>>;
  /** At 100 bytes: how many times its rate ours must be. */
  readonly targets: Readonly<Partial<Record<(typeof RATES)[number], number>>>;
}

export interface RateOptions {
  readonly server: ServerKind;
  /** For the metrics' names. */
  readonly size: string;
  readonly bytes: number;
  readonly ours: Entrant;
  readonly peers: Readonly<Record<string, Peer>>;
  /** Most bytes of a waiting message of 100 bytes. */
  readonly maxWaiting?: number;
}

const RATES = ['send', 'sendBatch', 'consume', 'both'] as const;
const JUDGED_BYTES = 100;
const QUICK_MESSAGES = 2_000;

/** Rates, processor time and room per message of all, at one size. */
export function rateContest(options: RateOptions): Contest {
  const { server, size, bytes, ours, peers, maxWaiting } = options;
  const isJudged = bytes === JUDGED_BYTES;
  const runner = ({ open, messages, needs }: Entrant): Runner => {
    const run = (context: RunContext) => {
      const count = context.isQuick ? QUICK_MESSAGES : isJudged ? messages : messages / 2;
      return measureRates(open, context, { bytes, messages: count });
    };
    return needs === undefined ? run : { run, needs };
  };
  const metrics = Object.entries(peers).flatMap(([name, { best, targets }]): Metric[] => [
    ...RATES.map((rate): Metric => {
      const atLeast = isJudged ? targets[rate] : undefined;
      return {
        name: `${kebab(rate)}-${name}-${size}`,
        unit: '/s',
        ours: ['wherry', rate],
        peer: [name, best?.[rate] ?? rate],
        ...(atLeast === undefined ? {} : { target: { atLeast } }),
      };
    }),
    plain(`server-cpu-${name}-${size}`, 'µs', 'cpu', name),
    plain(`client-cpu-${name}-${size}`, 'µs', 'clientCpu', name),
    plain(`waiting-${name}-${size}`, 'B', 'waiting', name),
  ]);
  const judgedRoom: Metric[] =
    isJudged && maxWaiting !== undefined
      ? [
          {
            name: `waiting-${size}`,
            unit: 'B',
            ours: ['wherry', 'waiting'],
            target: { atMost: maxWaiting },
          },
        ]
      : [];
  return {
    name: `${server}, ${size} payloads`,
    prepare: startServer(server),
    runners: { wherry: runner(ours), ...mapValues(peers, runner) },
    metrics: [...metrics, ...judgedRoom],
  };
}

/** How long a message is on its way at 500 per second. */
export function latencyContest(
  server: ServerKind,
  ours: Entrant,
  peers: Readonly<Record<string, Peer>>,
): Contest {
  const runner = ({ open, needs }: Entrant): Runner => {
    const run = (context: RunContext) => measureLatency(open, context);
    return needs === undefined ? run : { run, needs };
  };
  return {
    name: `${server}, latency at 500 per second`,
    prepare: startServer(server),
    runners: { wherry: runner(ours), ...mapValues(peers, runner) },
    metrics: Object.keys(peers).flatMap((name) => [
      plain(`latency-p50-${name}`, 'ms', 'p50', name),
      plain(`latency-p99-${name}`, 'ms', 'p99', name),
    ]),
  };
}

/** A metric that is shown, not judged. */
function plain(name: string, unit: Unit, figure: string, peer: string): Metric {
  return { name, unit, ours: ['wherry', figure], peer: [peer, figure] };
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
