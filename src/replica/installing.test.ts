// Putting a snapshot's state in the place of the own: when it is void, and what a fence that comes meanwhile changes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Sessions } from "../paxos/sessions.js";
import { type InstallingPorts, install } from "./installing.js";
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
  const during = { suspend: () => {}, restore: () => {} };
  const ports = {
    files: {
      load: async () => ({
        meta: encodeMeta({ sessions: new Sessions(), noted: NOTED }),
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
    assert.equal(
      trace.some((what) => what.startsWith("commit")),
      false,
    );
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
