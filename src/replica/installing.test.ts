// Putting a snapshot's state in the place of the own: when it is void, and what a fence that comes meanwhile changes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isNoSpace, noSpace } from "../base/no-space.js";
import { Sessions } from "../paxos/sessions.js";
import { type InstallingPorts, install } from "./installing.js";
import { SnapshotDamaged } from "./snapshot-format.js";
import { encodeMeta, type StateMeta } from "./state-meta.js";

const NOTED = { slot: 64, digest: 7 };

function fixture(isFenced: boolean) {
  const trace: string[] = [];
  const executor = {
    appliedUpTo: 70,
    isFenced,
    isReplacing: false,
    jump: (slot: number, { noted }: StateMeta) => {
      trace.push(`jump ${slot} ${noted?.digest}`);
      executor.appliedUpTo = slot;
    },
  };
  const meta = encodeMeta({ sessions: new Sessions(), noted: NOTED });
  const during = { suspend: () => {}, verify: () => {}, restore: () => {}, meta, isChecked: false };
  const ports = {
    files: {
      isChecked: () => during.isChecked,
      verify: async () => during.verify(),
      setAside: async ({ slot }: { slot: number }) => void trace.push(`aside ${slot}`),
      load: async () => ({
        meta: during.meta,
        chunks: (async function* () {})(),
      }),
    },
    machine: { restore: async () => during.restore() },
    durable: { commit: async (slot: number) => void trace.push(`commit ${slot}`) },
    executor,
    committer: {
      suspend: async () => during.suspend(),
      resume: (slot: number) => void trace.push(`resume ${slot}`),
    },
    room: { allocate: (_what: string, make: () => Promise<unknown>) => make() },
    log: { compact: async (slot: number) => void trace.push(`compact ${slot}`) },
    idle: async () => {},
  } as unknown as InstallingPorts<unknown, unknown, unknown, unknown>;
  const run = (slot: number) => install({ slot, bytes: 1, sum: 1 }, ports);
  return { executor, during, trace, run };
}

test("a newer state is durable first, then the log forgets, then it is executed from; an older one is void", async () => {
  const { executor, trace, run } = fixture(false);
  assert.equal(await run(80), true);
  assert.deepEqual(trace.splice(0), ["commit 80", "compact 80", "jump 80 7", "resume 80"]);
  assert.equal(executor.isReplacing, false);
  for (const slot of [79, 80]) {
    assert.equal(await run(slot), false);
    // What is executed by now need not be held.
    assert.deepEqual([trace.splice(0), executor.isReplacing], [["resume 0"], false]);
  }
});

test("a fenced state is replaced by one of its own slot as well, and is fenced no more", async () => {
  for (const slot of [70, 75]) {
    const { executor, trace, run } = fixture(true);
    assert.equal(await run(slot), true);
    assert.equal(executor.isFenced, false);
    assert.deepEqual(trace, [`commit ${slot}`, `compact ${slot}`, `jump ${slot} 7`, `resume ${slot}`]);
  }
  const { executor, trace, run } = fixture(true);
  assert.equal(await run(69), false);
  assert.deepEqual([executor.isFenced, trace], [true, []]);
});

test("a snapshot that was on its way when the fence came lifts it not, whenever it came", async () => {
  const early = fixture(false);
  early.during.suspend = () => {
    early.executor.isFenced = true;
  };
  assert.equal(await early.run(80), false);
  assert.deepEqual([early.executor.isFenced, early.trace], [true, []]);
  const late = fixture(false);
  late.during.restore = () => {
    late.executor.isFenced = true;
  };
  assert.equal(await late.run(80), true);
  assert.deepEqual([late.executor.isFenced, late.trace], [true, ["commit 80", "compact 80", "jump 80 7"]]);
});

test("damage is found before the machine is given anything; what is found later ends the replica", async () => {
  const isDamaged = (what: string) => () => {
    throw new SnapshotDamaged(what);
  };
  const early = fixture(false);
  early.during.verify = isDamaged("early");
  early.during.restore = () => assert.fail("it is not restored");
  await assert.rejects(early.run(80), SnapshotDamaged);
  assert.deepEqual([early.trace, early.executor.isReplacing], [["aside 80", "resume 0"], false]);
  const late = fixture(false);
  late.during.restore = isDamaged("late");
  await assert.rejects(
    late.run(80),
    (error) => !(error instanceof SnapshotDamaged) && /late/.test(`${error}`),
  );
  assert.deepEqual([late.trace, late.executor.isReplacing], [["aside 80"], true]);
});

test("one that this life has checked is not read twice", async () => {
  const { during, trace, run } = fixture(false);
  during.isChecked = true;
  during.verify = () => assert.fail("it is checked already");
  await run(80);
  assert.deepEqual(trace, ["commit 80", "compact 80", "jump 80 7", "resume 80"]);
});

test("a session table that cannot be read is damage as well", async () => {
  const { during, trace, run } = fixture(false);
  during.meta = Uint8Array.of(1, 2, 3);
  await assert.rejects(run(80), SnapshotDamaged);
  assert.deepEqual(trace, ["aside 80", "resume 0"]);
});

test("a machine that has no room for another state keeps its own, and goes on with it", async () => {
  const { executor, during, trace, run } = fixture(false);
  during.restore = () => {
    throw noSpace("full");
  };
  await assert.rejects(run(80), isNoSpace);
  assert.deepEqual([trace, executor.isReplacing], [["resume 0"], false]);
});
