import type { Fixture } from './fixture.ts';

/** What not every store can do. A test that needs it is skipped only when a gap says why. */
export type SuiteNeed = 'reopen' | 'crash' | 'atomicFanOut' | 'atomicBatch' | 'atomicDrops';

export type TestBody = (fixture: Fixture) => Promise<void>;

export interface NeedyTest {
  readonly needs: SuiteNeed;
  readonly body: TestBody;
}

/** One aspect's tests by title: the guarantee first, then what is expected. */
export type AspectTests = Readonly<Record<string, TestBody | NeedyTest>>;
