// A fenced replica, step by step: what is done in which order, whom it asks, whom it believes, and what it tells.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../paxos/event.js";
import { Divergence } from "./divergence.js";
import type { Fence } from "./fence-file.js";
import type { Opened } from "./opening.js";

type Anything = Divergence<unknown, unknown, unknown, unknown>;
const MEMBERS = [1, 2, 3, 4, 5];

function fixture(found: Fence | null = null, appliedUpTo = 70) {
  const trace: string[] = [];
  const world = { now: 0, linked: [1, 2, 3, 4], isFetching: false };
  const note = (what: string) => async () => void trace.push(what);
  const executor = { appliedUpTo, isFenced: found !== null, meta: () => new Uint8Array(0) };
  const wal = { compactedUpTo: 0 };
  const opened = {
    identity: { replica: 5 },
    executor,
    wal,
    committer: { suspend: note("suspend") },
    room: { allocate: (_what: string, make: () => Promise<unknown>) => make() },
    fence: { found, write: note("fence"), remove: note("remove fence") },
    held: {
      machine: { snapshot: async function* () {} },
      snapshots: {
        all: [{ slot: 64, bytes: 1, sum: 1 }],
        removeEvidence: note("remove old evidence"),
        write: async (slot: number) => void trace.push(`write evidence of ${slot}`),
        setAside: async ({ slot }: { slot: number }, why: string) => void trace.push(`aside ${slot} ${why}`),
      },
    },
  } as unknown as Opened<unknown, unknown, unknown, unknown>;
  const divergence: Anything = new Divergence(opened, {
    clock: { now: () => world.now, at: () => 0, cancel: () => {}, soon: () => {} },
    network: {
      send: ([to], message) =>
        void trace.push(`${message.kind} ${"slot" in message ? message.slot : ""} to ${to}`),
    },
    members: MEMBERS,
    linked: () => world.linked,
    idle: note("idle"),
    isFetching: () => world.isFetching,
    post: (event: Event) =>
      void trace.push(event.kind === "fenced" ? `post fenced ${event.members}` : `post ${event.kind}`),
    onFenced: () => void trace.push(`shut, fenced ${executor.isFenced}`),
    onWell: () => void trace.push("healed"),
    onFault: (text) => void trace.push(`fault ${text.slice(0, 12)}`),
    onBroken: (error) => void trace.push(`broken ${error.message}`),
  });
  const taken = () => trace.splice(0);
  const settled = () => new Promise(setImmediate);
  return { divergence, executor, wal, world, taken, settled };
}

const DIVERGED = { kind: "diverged", slot: 64, members: [1, 2, 3] } as const;

test("it is fenced at once, then durably, then its state is put aside, then one of the majority is asked", async () => {
  const { divergence, executor, world, taken, settled } = fixture();
  divergence.start();
  assert.deepEqual([taken(), divergence.isTrusted, divergence.alarms], [[], true, []]);
  divergence.onNotice(DIVERGED);
  assert.equal(executor.isFenced, true);
  assert.deepEqual(taken(), ["fault the state of", "shut, fenced true"]);
  assert.equal(divergence.isTrusted, false);
  assert.match(divergence.reason!, /after slot 64: ask another one/);
  assert.match(divergence.alarms.join(), /until it has the state of replica 1 or 2 or 3$/);
  divergence.elapse(0);
  assert.equal(divergence.isWanted(1, 70), false, "the state that it has is not aside yet");
  await settled();
  assert.deepEqual(taken(), [
    "fence",
    "suspend",
    "idle",
    "remove old evidence",
    "write evidence of 70",
    "aside 64 diverged",
  ]);
  divergence.elapse(world.now);
  assert.deepEqual(taken(), ["snapshotRequest 70 to 1"]);
  divergence.onNotice(DIVERGED);
  assert.deepEqual([taken(), divergence.fences], [[], 1]);
});

test("it asks one after the other of those it can reach, and believes the majority alone", async () => {
  const { divergence, world, taken, settled } = fixture();
  divergence.onNotice(DIVERGED);
  await settled();
  taken();
  world.linked = [1, 3, 4];
  for (const now of [0, 499, 500, 1000]) divergence.elapse(now);
  assert.deepEqual(taken(), [
    "snapshotRequest 70 to 1",
    "snapshotRequest 70 to 3",
    "snapshotRequest 70 to 1",
  ]);
  world.isFetching = true;
  divergence.elapse(1500);
  world.isFetching = false;
  world.linked = [4];
  divergence.elapse(2000);
  assert.deepEqual(taken(), []);
  assert.deepEqual(
    MEMBERS.map((from) => divergence.isWanted(from, 70)),
    [true, true, true, false, false],
  );
  assert.deepEqual([divergence.isWanted(1, 69), divergence.isWanted(1, 71)], [false, true]);
});

test("it takes no state that ends before its own log begins: what is between was in the state that is aside", async () => {
  const { divergence, wal, world, taken, settled } = fixture({ slot: 64, members: [1, 2, 3] }, 0);
  wal.compactedUpTo = 289;
  divergence.start();
  await settled();
  taken();
  world.linked = [2];
  divergence.elapse(0);
  assert.deepEqual(taken(), ["snapshotRequest 289 to 2"]);
  const wanted = [216, 288, 289, 352].filter((slot) => divergence.isWanted(2, slot));
  assert.deepEqual(wanted, [289, 352]);
});

test("healed, the core is told, and the file goes", async () => {
  const { divergence, executor, taken, settled } = fixture();
  divergence.onNotice(DIVERGED);
  await settled();
  taken();
  executor.isFenced = false;
  divergence.healed();
  assert.deepEqual(taken(), ["post resynced", "healed"]);
  await settled();
  assert.deepEqual(taken(), ["remove fence"]);
  assert.deepEqual([divergence.isFenced, divergence.isTrusted, divergence.alarms], [false, true, []]);
  assert.equal(divergence.deadline, Number.POSITIVE_INFINITY);
  // As anyone, it takes what is newer than its own from whoever has it.
  assert.deepEqual([divergence.isWanted(4, 70), divergence.isWanted(4, 71)], [false, true]);
});

test("fenced by an earlier life it tells the core, and writes no evidence of what it replayed", async () => {
  const { divergence, world, taken, settled } = fixture({ slot: 64, members: [2] }, 0);
  divergence.start();
  assert.deepEqual(taken(), ["post fenced 2", "fault the state of", "shut, fenced true"]);
  await settled();
  assert.deepEqual(taken(), ["suspend", "idle", "aside 64 diverged"]);
  divergence.elapse(world.now);
  assert.deepEqual(taken(), ["snapshotRequest 1 to 2"]);
});

test("where the file names nobody, any other replica will do", async () => {
  const { divergence, taken, settled } = fixture({ slot: 0, members: [] });
  divergence.start();
  await settled();
  taken();
  assert.deepEqual(
    MEMBERS.map((from) => divergence.isWanted(from, 70)),
    [true, true, true, true, false],
  );
  assert.match(divergence.alarms.join(), /another one$/);
});

test("while states differ nobody is given this one, and it is told when nobody will decide", () => {
  const { divergence, taken } = fixture();
  divergence.onNotice({ kind: "divided", slot: 64, isOpen: true });
  assert.deepEqual([divergence.isTrusted, divergence.alarms, taken()], [false, [], []]);
  divergence.onNotice({ kind: "divided", slot: 64, isOpen: false });
  assert.equal(divergence.isTrusted, false);
  assert.match(divergence.alarms.join(), /after slot 64, and no majority/);
  assert.equal(taken().length, 1);
  divergence.onNotice({ kind: "divided", slot: 0, isOpen: false });
  assert.deepEqual([divergence.isTrusted, divergence.alarms], [true, []]);
});
