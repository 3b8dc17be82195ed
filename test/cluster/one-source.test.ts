// A replica that is behind takes its snapshot from one other; the rest have nothing to do with it, unless that one is
// silent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { kvCluster } from "../support/kv-cluster.js";
import { slowPieces } from "../support/slow-pieces.js";

const SNAPSHOT = /^snapshot-\d+$/;

test("while a snapshot comes nobody else makes one; when its source falls silent the others are asked", async () => {
  for (const isSilent of [false, true]) {
    const { c, put } = kvCluster(5, 40_000);
    const silent = slowPieces(c, 300);
    await c.startAll();
    const leader = await c.leader();
    const behind = c.ids.find((id) => id !== leader)!;
    await c.crash(behind);
    for (let i = 0; i < 100; i += 1) await c.clock.settle(put(leader, i));
    // The log is compacted.
    await c.clock.pass(3000);
    await c.start(behind);
    const count = (name: string) => c.replica(behind).status().counters[name] ?? 0;
    const makers = () =>
      c.ids.filter(
        (id) =>
          id !== behind &&
          c.disks
            .get(id)!
            .names()
            .some((name) => SNAPSHOT.test(name)),
      );
    await c.clock.until(() => count("snapshotBytesReceived") > 300_000);
    const [source, ...more] = makers();
    assert.deepEqual(more, []);
    if (isSilent) {
      silent.add(source!);
      await c.clock.pass(2500);
      assert.ok(makers().length > 1, "the others are asked");
    }
    await c.clock.until(() => count("snapshotsInstalled") > 0);
    assert.equal(makers().length > 1, isSilent);
    // It stood for nothing meanwhile.
    assert.equal(await c.leader(), leader);
    await c.closeAll();
  }
});
