import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { TopologyChange } from '../../../src/core/driver.ts';
import type { Connection } from '../../../src/drivers/postgres/connection.ts';
import { applyMigrations } from '../../../src/drivers/postgres/migrations.ts';
import { PostgresTopology } from '../../../src/drivers/postgres/topology.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { connect } from './fixture.ts';

const postgres = await startPostgres();
const connections: Connection[] = [];
after(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await postgres.stop();
});

/** One process's view of the topology, and what it was told. */
class View {
  readonly connection: Connection;
  readonly topology: PostgresTopology;
  readonly changes: TopologyChange[] = [];

  static async of(url: string): Promise<View> {
    const connection = await connect({ url });
    connections.push(connection);
    await applyMigrations(connection);
    const view = new View(connection);
    await view.topology.start();
    view.topology.watch((change) => view.changes.push(change));
    return view;
  }

  private constructor(connection: Connection) {
    this.connection = connection;
    this.topology = new PostgresTopology(connection);
  }

  put(name: string, value: unknown, version = 0) {
    return this.topology.put({ kind: 'k', name, value }, version);
  }

  /** What was told since it was asked last. */
  told(): string[] {
    return this.changes
      .splice(0)
      .map((change) =>
        change.type === 'put'
          ? `${change.entry.name} ${change.entry.version}`
          : `${change.name} removed`,
      );
  }
}

describe('the topology', () => {
  test("tells of others' changes when it catches up, and of its own at once", async () => {
    const url = await postgres.createDatabase();
    const [one, other] = [await View.of(url), await View.of(url)];
    await one.put('a', 1);
    await one.put('a', 2, 1);
    assert.deepEqual(one.told(), ['a 1', 'a 2']);
    assert.deepEqual(other.told(), []);
    // What comes before its own is told before it.
    await other.put('b', 1);
    assert.deepEqual(other.told(), ['a 2', 'b 1']);
    await other.topology.remove('k', 'a', 2);
    await other.put('a', 3);
    await one.topology.catchUp();
    assert.deepEqual(one.told(), ['b 1', 'a removed', 'a 1']);
    await one.topology.catchUp();
    assert.deepEqual(one.told(), []);
  });

  test('takes one of many changes to a version, and misses none', async () => {
    const url = await postgres.createDatabase();
    const views = await Promise.all([View.of(url), View.of(url), View.of(url)]);
    await views[0].put('counter', 0);
    let lost = 0;
    const increment = async (view: View): Promise<void> => {
      for (;;) {
        const [entry] = await view.topology.load();
        if (await view.put('counter', (entry!.value as number) + 1, entry!.version)) return;
        lost += 1;
      }
    };
    const each = views.flatMap((view) => Array.from({ length: 10 }, () => increment(view)));
    await Promise.all(each);
    assert.ok(lost > 0, 'nobody was in anybody’s way');
    for (const view of views) {
      await view.topology.catchUp();
      const entries = view.changes.flatMap((change) => (change.type === 'put' ? change.entry : []));
      const versions = entries.map(({ version }) => version);
      assert.deepEqual(
        versions,
        versions.toSorted((a, b) => a - b),
      );
      assert.equal(new Set(versions).size, versions.length, 'a change was told twice');
      assert.deepEqual(entries.at(-1), {
        kind: 'k',
        name: 'counter',
        number: 1,
        version: 31,
        value: 30,
      });
    }
  });

  test('is told anew to those who were away when removals were forgotten', async () => {
    const url = await postgres.createDatabase();
    const [one, other] = [await View.of(url), await View.of(url)];
    await one.put('kept', 1);
    await one.put('gone', 1);
    await other.topology.catchUp();
    other.told();
    await one.topology.remove('k', 'gone', 1);
    await one.connection.query("SELECT wherry.topology_forget('0')");
    await other.topology.catchUp();
    assert.deepEqual(other.told(), ['kept 1']);
    await one.put('next', 1);
    await other.topology.catchUp();
    assert.deepEqual(other.told(), ['next 1']);
  });
});
