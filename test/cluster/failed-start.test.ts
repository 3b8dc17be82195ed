// A start that fails half way, as when the machine meets damage of its state while the log is replayed: the directory
// is given back as after any other end, with no file open and nothing that is written later.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { StateCorrupt } from "../../src/machine/machine.js";
import type { DiskFile } from "../../src/wal/disk.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";
import { MemoryCluster } from "../support/memory-cluster.js";

/** Knows which files are open. */
class WatchedDisk extends MemoryDisk {
  readonly opened = new Set<DiskFile>();

  override async open(name: string, create: boolean): Promise<DiskFile> {
    const file = await super.open(name, create);
    const watched: DiskFile = {
      name,
      size: () => file.size(),
      read: (position, length) => file.read(position, length),
      write: (position, bytes, done) => file.write(position, bytes, done),
      sync: (done) => file.sync(done),
      close: () => {
        this.opened.delete(watched);
        return file.close();
      },
    };
    this.opened.add(watched);
    return watched;
  }
}

test("a start that meets damage as it replays the log leaves nothing open, and writes nothing afterwards", async () => {
  const disk = new WatchedDisk();
  let isDamaged = false;
  const machine = () =>
    jsonMachine({
      initial: { sum: 0 },
      apply: (state, { add }: { add: number }) => {
        if (isDamaged) throw new StateCorrupt("a page of the state is damaged");
        state.sum += add;
        return state.sum;
      },
      query: ({ sum }, _query: "sum") => sum,
    });
  const c = new MemoryCluster({ replicas: 1, machine, makeDisk: () => disk });
  await c.startAll();
  await c.clock.settle(c.replica(1).propose({ add: 1 }));
  // The log comes to say that it is chosen.
  await c.clock.pass(1000);
  await c.crash(1);
  disk.opened.clear();
  isDamaged = true;
  await assert.rejects(c.start(1), StateCorrupt);
  await c.clock.settle(c.replica(1).close());
  const { writes, syncs } = disk;
  await c.clock.pass(1000);
  assert.deepEqual(
    [[...disk.opened].map(({ name }) => name), disk.writes - writes, disk.syncs - syncs],
    [[], 0, 0],
  );
  isDamaged = false;
  await c.start(1);
  assert.equal(await c.clock.settle(c.replica(1).read("sum")), 1);
  await c.closeAll();
  assert.deepEqual([...disk.opened], []);
});
