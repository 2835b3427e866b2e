/** What a store holds, as data. Core refuses what is not there, with the reason given. */
export interface Capabilities {
  /** What survives when a call has resolved: nothing, a process kill, or a power cut too. */
  readonly durability: 'none' | 'process' | 'power';
  /** Several processes may have it open at once. */
  readonly shared: boolean;
  /** `true`, or why a publish to several queues cannot be all or none. */
  readonly atomicFanOut: true | string;
  /** `true`, or why a batch cannot be all or none. */
  readonly atomicBatch: true | string;
  /** `true`, or why a caller's own transaction cannot carry a publish or a settle. */
  readonly transactions: true | string;
  /** `true`, or why a queue cannot be spread over several places. */
  readonly partitions: true | string;
  /**
   * Another process that has the store open sees to what happens because time passes: it sweeps,
   * keeps the schedules and deletes idle queues. Default false: every process that has it open does.
   */
  readonly managed?: boolean;
}
