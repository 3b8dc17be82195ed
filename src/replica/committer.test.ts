// When a durable machine is committed, and that it never holds what the log on disk does not show (L5).
import assert from "node:assert/strict";
import { test } from "node:test";
import { noSpace } from "../base/no-space.js";
import type { DurableState } from "../machine/machine.js";
import { Committer } from "./committer.js";

function fixture() {
  const commits: number[] = [];
  const ports = {
    waiting: [] as (() => void)[],
    flushes: 0,
    committed: 0,
    errors: [] as Error[],
    flushed: () => {
      ports.flushes += 1;
    },
    onCommitted: () => {
      ports.committed += 1;
    },
  };
  const log = { syncedChosenUpTo: 0, flush: () => ports.flushed() };
  const executor = { appliedUpTo: 0, isPaused: false };
  const store = { bytes: 0, finish: [] as ((error?: Error) => void)[] };
  const durable: DurableState = {
    held: () => ({ slot: 0, meta: new Uint8Array(0) }),
    commit(slot) {
      commits.push(slot);
      return new Promise((resolve, reject) => {
        store.finish.push((error) => (error === undefined ? resolve() : reject(error)));
      });
    },
    uncommittedBytes: () => store.bytes,
    close: async () => {},
  };
  const committer = new Committer(durable, 0, {
    log,
    executor,
    meta: () => new Uint8Array(0),
    room: {
      lacks: () => new Promise((resolve) => ports.waiting.push(() => resolve(true))),
      has: () => {},
    },
    onCommitted: () => ports.onCommitted(),
    onFailed: (error) => void ports.errors.push(error),
  });
  return { committer, commits, ports, log, executor, store };
}

test("what was held and is damaged is committed again at once, though nothing has changed", () => {
  const { committer, commits, log, executor, store } = fixture();
  executor.appliedUpTo = log.syncedChosenUpTo = 5;
  committer.hasten(0);
  store.finish[0]!();
  return Promise.resolve().then(() => {
    committer.lost(5, 10);
    assert.deepEqual(commits, [5]);
    committer.lost(3, 10);
    assert.deepEqual([commits, committer.heldUpTo], [[5, 5], 3]);
  });
});

test("100 ms after the first change, with everything executed until then", async () => {
  const { committer, commits, log, executor, store, ports } = fixture();
  committer.poke(0);
  assert.equal(committer.deadline, Number.POSITIVE_INFINITY);
  executor.appliedUpTo = 3;
  committer.poke(10);
  assert.equal(committer.deadline, 110);
  executor.appliedUpTo = log.syncedChosenUpTo = 5;
  committer.poke(110);
  assert.deepEqual(commits, [5]);
  executor.appliedUpTo = log.syncedChosenUpTo = 6;
  committer.poke(500);
  assert.deepEqual(commits, [5], "one at a time");
  store.finish[0]!();
  await new Promise(setImmediate);
  assert.equal(ports.committed, 1);
  committer.poke(500);
  committer.poke(600);
  assert.deepEqual(commits, [5, 6]);
});

test("at once when much is uncommitted; never before the log on disk shows it; then execution waits", () => {
  const { committer, commits, log, executor, store, ports } = fixture();
  executor.appliedUpTo = 4;
  store.bytes = 9 << 20;
  committer.poke(0);
  assert.deepEqual([commits, ports.flushes, executor.isPaused, committer.deadline], [[], 1, false, 300]);
  store.bytes = 17 << 20;
  committer.poke(1);
  assert.equal(executor.isPaused, true);
  log.syncedChosenUpTo = 4;
  committer.poke(2);
  assert.deepEqual(commits, [4]);
  assert.equal(executor.isPaused, false);
  assert.equal(committer.isOverlayFull, false);
  store.bytes = 65 << 20;
  assert.equal(committer.isOverlayFull, true);
});

test("a failed commit is told", async () => {
  const { committer, log, executor, store, ports } = fixture();
  executor.appliedUpTo = log.syncedChosenUpTo = 1;
  committer.poke(0);
  committer.poke(100);
  store.finish[0]!(new Error("disk"));
  await new Promise(setImmediate);
  assert.match(ports.errors[0]!.message, /disk/);
});

test("hastened, it commits as soon as the log shows everything, once; with nothing new it does not", async () => {
  const { committer, commits, log, executor, store, ports } = fixture();
  committer.hasten(0);
  assert.deepEqual(commits, []);
  executor.appliedUpTo = 4;
  committer.poke(1);
  assert.deepEqual([commits, executor.isPaused], [[], false], "what was there before is not waited for");
  committer.hasten(2);
  assert.deepEqual([commits, executor.isPaused, ports.flushes], [[], true, 1]);
  log.syncedChosenUpTo = 4;
  committer.poke(3);
  assert.deepEqual([commits, executor.isPaused], [[4], false]);
  executor.appliedUpTo = log.syncedChosenUpTo = 5;
  committer.hasten(4);
  store.finish[0]!();
  await new Promise(setImmediate);
  committer.poke(5);
  assert.deepEqual(commits, [4, 5], "asked for while another one was under way");
  store.finish[1]!();
  await new Promise(setImmediate);
  executor.appliedUpTo = log.syncedChosenUpTo = 6;
  committer.poke(6);
  assert.deepEqual(commits, [4, 5]);
});

test("what is suspended is not committed, not even at the end", async () => {
  const { committer, commits, log, executor } = fixture();
  executor.appliedUpTo = log.syncedChosenUpTo = 1;
  await committer.suspend();
  committer.hasten(0);
  committer.poke(1000);
  await committer.finish(true);
  assert.deepEqual(commits, []);
  committer.resume(0);
  void committer.finish(true);
  await new Promise(setImmediate);
  assert.deepEqual(commits, [1]);
});

test("a commit that finds no room is tried again when there may be some, with what is executed by then", async () => {
  const { committer, commits, log, executor, store, ports } = fixture();
  executor.appliedUpTo = log.syncedChosenUpTo = 3;
  committer.poke(0);
  committer.poke(100);
  store.finish[0]!(noSpace("full"));
  await new Promise(setImmediate);
  assert.deepEqual([ports.errors.length, ports.committed, ports.waiting.length], [0, 0, 1]);
  executor.appliedUpTo = log.syncedChosenUpTo = 5;
  committer.poke(1000);
  committer.hasten(1000);
  assert.deepEqual([commits, committer.heldUpTo, committer.deadline], [[3], 0, Number.POSITIVE_INFINITY]);
  ports.waiting[0]!();
  await new Promise(setImmediate);
  assert.equal(ports.committed, 1);
  committer.poke(1001);
  assert.deepEqual(commits, [3, 5]);
  store.finish[1]!();
  await new Promise(setImmediate);
  assert.equal(committer.heldUpTo, 5);
  executor.appliedUpTo = log.syncedChosenUpTo = 6;
  const finished = committer.finish(true);
  await new Promise(setImmediate);
  store.finish[2]!(noSpace("full"));
  await finished;
});
