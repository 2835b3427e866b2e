/** What does not hold in a store that several processes have open at once, by the tests' titles. */
export const BOUND_LEASES_GO_ON: Readonly<Record<string, string>> = Object.fromEntries(
  [
    "G6 a bound holder's leases have ended, and count when the sweeper has decided",
    'G6 deliveries are counted across restarts without gap or reset',
    'G6 what was not begun does not count after a restart',
    'what a sweeper held when it ended is swept again',
    'G11 groups stay in order, back-offs block them still',
  ].flatMap((title) =>
    ['reopen', 'crash'].map((how) => [
      `${title} (after a ${how})`,
      'other processes have the store open: the leases of one that ended go on until their time',
    ]),
  ),
);
