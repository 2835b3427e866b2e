import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Child, type Said } from './child.ts';
import { Ledger } from './ledger.ts';
import { LoopImage } from './loop-image.ts';

const MIB = 1024 * 1024;
const BODY_BYTES = 4_000;
const FILLER_MIB = 8;

test('G16 on a full disk one can acknowledge, and with room one can send again', async (t) => {
  const image = LoopImage.create(t, 'ext4', 24 * MIB);
  const path = join(image.folder, 'store');
  const filler = join(image.folder, 'filler');
  writeFileSync(filler, Buffer.alloc(FILLER_MIB * MIB));

  const child = new Child(t, ['send', path, '0', String(BODY_BYTES)]);
  await child.hear('stopped');
  const full = [...child.said];
  const refusals = full.filter(({ event }) => event === 'refused');
  assert.ok(refusals.length >= 40);
  for (const { code, retriable } of refusals) {
    assert.deepEqual([code, retriable], ['STORAGE_FULL', true]);
  }
  child.tell('acknowledge');
  await child.hear('acknowledged');
  const settled = ids(child.said.slice(full.length), 'settled');
  assert.equal(settled.length, 10, 'acknowledged on the full disk');

  rmSync(filler);
  const before = ids(child.said, 'sent').length;
  child.tell('send');
  await child.until((said) => said.filter(({ event }) => event === 'stopped').length === 2);
  const more = ids(child.said, 'sent').length - before;
  t.diagnostic(`${before} confirmed until it was full, ${more} with ${FILLER_MIB} MiB more`);
  assert.ok(before >= 200 && more >= 200, `${before} and then ${more} confirmed`);
  await child.kill();
  const ledger = new Ledger();
  ledger.record(child.said);
  // Nothing that was refused is there.
  assert.equal(await ledger.check(path), 0);
});

function ids(said: readonly Said[], event: string): string[] {
  return said.filter((each) => each.event === event).map(({ id }) => id!);
}
