// A sector of a log that cannot be read (EIO), found at a start or while the replica runs: nobody stops, nothing is
// lost, and what is gone comes from the others without an operator.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonMachine } from "../../src/machine/json-machine.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import { MemoryCluster } from "../support/memory-cluster.js";

const SECTOR = 512;
const COMMANDS = 12;

const machine = () =>
  jsonMachine({
    initial: { texts: [] as string[] },
    apply: (state, { text }: { text: string }) => state.texts.push(text),
    query: ({ texts }, _query: "texts") => texts.join(),
  });

type Cluster = MemoryCluster<{ text: string }, number, "texts", string>;

const textOf = (n: number) => `<${n}>`.padEnd(700, "x");

async function written(): Promise<Cluster> {
  const c: Cluster = new MemoryCluster({ replicas: 3, machine, segmentBytes: 1 << 14 });
  await c.startAll();
  for (let n = 0; n < COMMANDS; n += 1) await put(c, 1, n);
  await c.level();
  await c.clock.pass(1000);
  return c;
}

async function put(c: Cluster, at: number, n: number): Promise<void> {
  await c.clock.settle(c.replica(at).propose({ text: textOf(n) }));
}

async function textsAt(c: Cluster, id: number, local = false): Promise<string> {
  return c.clock.settle(c.replica(id).read("texts", { local }));
}

const expected = (count: number) => Array.from({ length: count }, (_, n) => textOf(n)).join();

/** Every sector of the files of the log that was written. */
function sectorsOf(disk: MemoryDisk): { name: string; at: number }[] {
  const sectors: { name: string; at: number }[] = [];
  for (const name of disk.names().filter((name) => /^(log|promise)-/.test(name))) {
    const end = disk.bytesOf(name).findLastIndex((byte) => byte !== 0) + 1;
    for (let at = 0; at <= end; at += SECTOR) sectors.push({ name, at });
  }
  return sectors;
}

test("whichever sector of one log cannot be read at a start: the replica heals, and goes on", async () => {
  const c = await written();
  const places = sectorsOf(c.disks.get(2)!);
  assert.ok(places.length > 20);
  let count = COMMANDS;
  for (const { name, at } of places) {
    await c.crash(2);
    if (!c.disks.get(2)!.has(name) || c.disks.get(2)!.bytesOf(name).length <= at) {
      await c.start(2);
      continue;
    }
    c.disks.get(2)!.loseSectors(name, at, at + 1);
    await c.start(2);
    await put(c, 3, count);
    count += 1;
    await c.level();
    assert.equal(await textsAt(c, 2, true), expected(count), `${name}, ${at}`);
  }
  // Its votes count again: with it and one other there is a quorum.
  await c.crash(3);
  await c.clock.settle(c.replica(1).propose({ text: textOf(count) }), 30_000);
  assert.equal(await textsAt(c, 2), expected(count + 1));
  assert.deepEqual(c.replica(2).status().alarms, []);
});

test("while it runs: the scrub finds it, the replica goes on, and who is behind is served all the same", async () => {
  const c = await written();
  await c.crash(3);
  for (let n = COMMANDS; n < COMMANDS + 4; n += 1) await put(c, 1, n);
  await c.level();
  for (const { name, at } of sectorsOf(c.disks.get(2)!)) c.disks.get(2)!.loseSectors(name, at, at + 1);
  await c.clock.until(() => c.replica(2).status().counters.damagedLogReads! > 0, 24 * 3_600_000);
  assert.ok(c.faults(2).some((text) => /slot/.test(text)));
  // The other one that has all may be the one that is away: what the state holds is sent.
  const leader = await c.leader();
  assert.equal(await textsAt(c, leader), expected(COMMANDS + 4));
  await c.start(3);
  await c.level();
  await put(c, 2, COMMANDS + 4);
  await c.level();
  for (const id of c.ids) assert.equal(await textsAt(c, id), expected(COMMANDS + 5));
  for (const id of c.ids) assert.deepEqual(c.replica(id).status().alarms, []);
});
