/** A difference between our transcripts and RabbitMQ's that is meant. */
export interface KnownDifference {
  /** As it stands in docs/amqp.md. */
  readonly reason: string;
  /** Where it is seen: the scenario and its step. */
  readonly steps: readonly (readonly [family: string, step: string])[];
}

/** In the order of the documentation. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    reason:
      'An exchange of an unknown type closes the channel with 406, as newer clients expect it; RabbitMQ 3.10 closes the connection with 503.',
    steps: [['pika', 'unknown type']],
  },
  {
    reason:
      'Sending to the default exchange needs the right to write to the queue that the routing key names; in RabbitMQ it needs the right to write to `amq.default`, and then every queue can be written to.',
    steps: [['pika', 'may not use default']],
  },
  {
    reason:
      'Every queue may have priorities and a delivery limit; RabbitMQ refuses the first for quorum queues and the second for classic ones.',
    steps: [
      ['pika-extensions', 'kind 2'],
      ['pika-extensions', 'kind 8'],
    ],
  },
];

/** @returns the entry of a step that may differ */
export function knownDifference(family: string, step: string): KnownDifference | undefined {
  return KNOWN_DIFFERENCES.find(({ steps }) =>
    steps.some(([itsFamily, itsStep]) => itsFamily === family && itsStep === step),
  );
}
