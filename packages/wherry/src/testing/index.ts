/** For tests of programs that use Wherry, and of drivers written by others. */
export { createMemoryDriver, type MemoryDriverOptions } from '../drivers/memory/index.ts';
export { type ConformanceOptions, conformanceSuite } from './conformance.ts';
export { type DriverMethod, type Fault, FaultyDriver } from './faulty-driver.ts';
export { ManualClock } from './manual-clock.ts';
export type { ModelOptions } from './suite/model.ts';
export type { CreateStore, SuiteStore } from './suite/store.ts';
