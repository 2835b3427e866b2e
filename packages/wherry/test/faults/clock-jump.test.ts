import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Child, type Said } from './child.ts';
import { requireFaultTools } from './machine.ts';
import { storeFolder } from './store-folder.ts';

const HOUR = 3_600_000;
/** What a busy machine may take for what is done at once. */
const SLACK = 60_000;

interface Stored {
  readonly id: string;
  readonly payload: string;
  readonly state: string;
  readonly timestamp: number;
  readonly availableAt: number;
}

/** The wall clock of what runs so is ahead by the seconds in the file; timers are not touched. */
function wallClockOf(offsetFile: string): NodeJS.ProcessEnv {
  requireFaultTools();
  return {
    // The loader knows the machine's library folder.
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketimeMT.so.1',
    FAKETIME_TIMESTAMP_FILE: offsetFile,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

test('G14 a wall clock that jumps moves nothing, not even over a reopening', async (t) => {
  const path = storeFolder(t);
  const offsetFile = join(dirname(path), 'offset');
  writeFileSync(offsetFile, '+0\n');
  const options = { env: wallClockOf(offsetFile) };
  const began = Date.now();
  const child = new Child(t, ['jump', path, offsetFile], options);
  // Its lease held, over both jumps.
  await child.hear('acknowledged');
  const jumps = child.said.filter(({ event }) => event === 'jumped');
  assert.deepEqual(
    jumps.map(({ jumped }) => Math.round((jumped as number) / HOUR)),
    [1, -2],
    'the clock really jumped',
  );
  for (const jump of jumps) {
    assert.deepEqual(jump['received'], ['mortal', 'soon']);
    assert.deepEqual(states(jump), [
      'held leased',
      'later scheduled',
      'mortal leased',
      'soon leased',
    ]);
    for (const { timestamp } of messages(jump)) assert.ok(Math.abs(timestamp - began) < SLACK);
  }
  const left = await child.hear('stored');
  assert.ok((left['wall'] as number) < began - HOUR + SLACK);
  child.tell('close');
  await child.hear('closed');

  // The second process begins an hour behind what the first one stored.
  const second = new Child(t, ['jump', path], options);
  const found = await second.hear('stored');
  t.diagnostic(`the second process's wall clock is ${began - (found['wall'] as number)} ms behind`);
  assert.ok((found['wall'] as number) < began - HOUR + SLACK);
  const [before, after] = [messages(left), messages(found)];
  const latest = Math.max(...before.map(({ timestamp }) => timestamp));
  const added = after.find(({ id }) => id === found.id)!;
  assert.ok(added.timestamp >= latest, `${latest - added.timestamp} ms back`);
  assert.deepEqual(states(found), [
    'after ready',
    'after ready',
    'later scheduled',
    'mortal ready',
  ]);
  const dueOf = (all: Stored[]): number =>
    all.find(({ payload }) => payload === 'later')!.availableAt;
  assert.equal(dueOf(after), dueOf(before));
  second.tell('close');
  await second.hear('closed');
});

function messages(said: Said): Stored[] {
  return said['messages'] as Stored[];
}

function states(said: Said): string[] {
  return messages(said)
    .map(({ payload, state }) => `${payload} ${state}`)
    .toSorted();
}
