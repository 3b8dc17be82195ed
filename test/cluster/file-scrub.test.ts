// What only a start reads rots while a replica runs: it is found, and written again from what the replica knows, before
// a start would need it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { MemoryCluster } from "../support/memory-cluster.js";

/** The first pass begins a minute after a start. */
const A_PASS = 120_000;

const machine = () =>
  jsonMachine({
    initial: { texts: [] as string[] },
    apply: (state, { text }: { text: string }) => state.texts.push(text),
    query: ({ texts }, _query: "count") => texts.length,
  });

async function written(count: number) {
  const c = new MemoryCluster({ replicas: 3, machine, segmentBytes: 1 << 14, snapshotBytes: 4096 });
  await c.startAll();
  for (let n = 0; n < count; n += 1) {
    await c.clock.settle(c.replica(1).propose({ text: `<${n}>`.padEnd(500, "x") }));
  }
  await c.level();
  return c;
}

test("identity, genesis, both promises and the snapshots of a volatile machine rot, and the next start finds none of it", async () => {
  const c = await written(40);
  const disk = c.disks.get(2)!;
  const names = disk.names().filter((name) => /^(identity|genesis|promise-.|snapshot-\d+)$/.test(name));
  assert.ok(names.length >= 6, names.join());
  for (const name of names) disk.bytesOf(name)[30]! ^= 1;
  const told = c.faults(2).length;
  await c.clock.pass(A_PASS);
  const faults = c.faults(2).slice(told);
  for (const name of ["identity", "genesis"]) {
    assert.ok(
      faults.includes(`the file "${name}" of the data directory was damaged or gone: it is written again`),
    );
  }
  const damaged = names.filter((name) => name.startsWith("snapshot-"));
  for (const name of damaged)
    assert.ok(
      faults.some((text) => text.includes(name)),
      name,
    );
  const aside = disk.names().filter((name) => name.endsWith(".damaged"));
  await c.crash(2);
  await c.start(2);
  await c.level();
  assert.equal(await c.clock.settle(c.replica(2).read("count")), 40);
  assert.deepEqual(c.faults(2), []);
  assert.deepEqual(
    disk.names().filter((name) => name.endsWith(".damaged")),
    aside,
  );
});
