// What is compacted and what is installed, around the edges: while something else is under way, and when it comes late.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diskWith, sample } from "../../test/support/snapshot-samples.js";
import { noSpace } from "../base/no-space.js";
import { Sessions } from "../paxos/sessions.js";
import type { SnapshotMessage } from "../wire/snapshot-messages.js";
import type { Opened } from "./opening.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { encodeMeta } from "./state-meta.js";
import { StateTransfer } from "./state-transfer.js";

const META = encodeMeta({ sessions: new Sessions(), noted: null });

const settled = async () => {
  for (let i = 0; i < 50; i += 1) await new Promise(setImmediate);
};

/** A replica that has executed up to slot 10, and a peer, 2, with a snapshot of slot 20. */
async function fixture(compactedUpTo = 0, isReceived = false) {
  const theirs = { ...sample(20, 500), meta: META };
  const peer = await SnapshotFiles.open(await diskWith(theirs));
  const disk = await (isReceived ? diskWith(theirs) : diskWith());
  const files = await SnapshotFiles.open(disk);
  const trace: string[] = [];
  const tails: number[] = [];
  const executor = {
    appliedUpTo: 10,
    isReplacing: false,
    isFenced: false,
    sessions: new Sessions(),
    meta: () => META,
    jump: (slot: number) => {
      executor.appliedUpTo = slot;
    },
  };
  const during = { suspend: async () => {}, restore: async () => {} };
  const made = { chunks: 1, ended: 0, begun: 0 };
  const room = {
    isLacking: false,
    allocate: (_what: string, attempt: () => Promise<unknown>) => attempt(),
    lacks: () => assert.fail("the reserve is not for snapshots"),
  };
  const compactions: { upTo: number; done: () => void; fail: (error: Error) => void }[] = [];
  const wal = {
    compactedUpTo,
    damagedReads: 0,
    size: 0,
    compactable: (_heldUpTo: number, tailBytes: number) => tails.push(tailBytes) * 0,
    restate: () => {},
    check: async () => ({ bytes: 0, next: 1 }),
    compact: (upTo: number) =>
      new Promise<void>((resolve, reject) => {
        const done = () => {
          wal.compactedUpTo = upTo;
          resolve();
        };
        compactions.push({ upTo, done, fail: reject });
      }),
  };
  const opened = {
    held: {
      machine: {
        restore: async () => during.restore(),
        snapshot: () => {
          made.begun += 1;
          let left = made.chunks;
          const next = async () => {
            await new Promise(setImmediate);
            return { done: left-- === 0, value: new Uint8Array(1 << 14) };
          };
          const end = async () => {
            made.ended += 1;
            return { done: true, value: undefined };
          };
          return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
        },
      },
      durable: { commit: async () => {} },
      snapshots: files,
      isSnapshotted: false,
      safeUpTo: (slot: number) => slot,
    },
    executor,
    committer: {
      heldUpTo: 10,
      suspend: async () => during.suspend(),
      resume: (slot: number) => trace.push(`resume ${slot}`),
    },
    wal,
    identity: { replica: 1, incarnation: 1 },
    room,
    repairFiles: async () => [],
  } as unknown as Opened<unknown, unknown, unknown, unknown>;
  const broken: Error[] = [];
  const faults: string[] = [];
  const time = { now: 0 };
  const sent: SnapshotMessage[] = [];
  const transfer = new StateTransfer(opened, {
    clock: { now: () => time.now } as never,
    network: { send: (_to, message) => void sent.push(message as SnapshotMessage) },
    tailBytes: 64,
    linked: () => [2],
    post: (event) => {
      if (event.kind === "compact") transfer.compactLog(event.upTo);
      else trace.push(event.kind);
    },
    isWanted: (_from, slot) => slot > executor.appliedUpTo,
    isTrusted: () => !executor.isFenced,
    onHealed: () => trace.push("healed"),
    onInstalled: () => trace.push("told"),
    onEnded: () => trace.push(`executes after ${executor.appliedUpTo}${executor.isReplacing ? ", not" : ""}`),
    onDeadline: () => {},
    onFault: (text) => void faults.push(text),
    onBroken: (error) => broken.push(error),
  });
  const info = peer.newest!;
  const fetch = async () => {
    transfer.onMessage(2, { kind: "snapshotOffer", ...info });
    await settled();
    const data = await peer.read(info, 0, info.bytes);
    transfer.onMessage(2, { kind: "snapshotChunk", ...info, offset: 0, data });
    await settled();
  };
  const around = { disk, room, made, faults, tails };
  return { executor, during, wal, compactions, transfer, trace, broken, fetch, files, time, sent, ...around };
}

test("what was chosen while a snapshot was installed is executed, though the snapshot came too late", async () => {
  for (const slot of [20, 21]) {
    const { executor, during, trace, fetch } = await fixture();
    during.suspend = async () => {
      executor.appliedUpTo = slot;
    };
    await fetch();
    // It is not held because it is executed.
    assert.deepEqual(trace, ["offered", "resume 0", `executes after ${slot}`]);
  }
});

test("what was chosen while a snapshot was installed is executed after it", async () => {
  const { compactions, trace, fetch } = await fixture();
  await fetch();
  assert.deepEqual(trace, ["offered"]);
  compactions[0]!.done();
  await settled();
  assert.deepEqual(trace, ["offered", "resume 20", "installed", "told", "executes after 20"]);
});

test("the file of an installed snapshot is let go of after a minute, also of one that came too late", async () => {
  for (const isLate of [false, true]) {
    const { executor, during, compactions, transfer, fetch, files, time } = await fixture();
    if (isLate) {
      during.suspend = async () => {
        executor.appliedUpTo = 20;
      };
    }
    await fetch();
    compactions[0]?.done();
    await settled();
    transfer.elapse(59_000);
    await settled();
    assert.equal(files.newest?.slot, 20);
    time.now = 60_000;
    assert.ok(transfer.deadline <= time.now);
    transfer.elapse(time.now);
    await settled();
    assert.equal(files.newest, null);
  }
});

test("a snapshot of an earlier life that is installed for longer than a minute is not let go of meanwhile", async () => {
  const { during, compactions, transfer, trace, broken, fetch, files, time } = await fixture(0, true);
  const wait = async () => {
    time.now += 60_000;
    transfer.elapse(time.now);
    await settled();
  };
  during.suspend = wait;
  const verify = files.verify.bind(files);
  files.verify = async (info) => {
    await verify(info);
    await wait();
  };
  during.restore = wait;
  await fetch();
  await settled();
  await settled();
  compactions[0]?.done();
  await settled();
  assert.deepEqual(broken, []);
  assert.deepEqual(trace.slice(-3), ["installed", "told", "executes after 20"]);
  // A minute after the end it is.
  time.now += 59_000;
  transfer.elapse(time.now);
  await settled();
  assert.equal(files.newest?.slot, 20);
  time.now += 1000;
  transfer.elapse(time.now);
  await settled();
  assert.equal(files.newest, null);
});

test("the file of a snapshot that had no room to be installed is let go of, too", async () => {
  const { during, transfer, broken, fetch, files, time } = await fixture();
  during.restore = () => Promise.reject(noSpace("full"));
  await fetch();
  assert.equal(files.newest?.slot, 20);
  time.now = 60_000;
  transfer.elapse(time.now);
  await settled();
  assert.deepEqual([files.newest, broken], [null, []]);
});

test("whose log begins after its state asks for one, but who is fenced asks nobody outside the majority", async () => {
  const { executor, transfer, sent, time } = await fixture(15);
  const asked = (now: number) => {
    time.now = now;
    transfer.elapse(now);
    return sent.splice(0).map(({ kind }) => kind);
  };
  executor.isFenced = true;
  assert.deepEqual(asked(1000), []);
  executor.isFenced = false;
  assert.deepEqual(asked(2000), ["snapshotRequest"]);
});

test("a machine that failed to take another state executes nothing any more", async () => {
  const { during, trace, broken, fetch } = await fixture();
  during.restore = () => Promise.reject(new Error("no"));
  await fetch();
  assert.deepEqual([trace.slice(1), broken.length], [["executes after 10, not"], 1]);
});

test("who waits until nothing is under way waits for an installation as well", async () => {
  const { compactions, transfer, fetch } = await fixture();
  await fetch();
  let isIdle = false;
  void transfer.idle().then(() => {
    isIdle = true;
  });
  await settled();
  assert.equal(isIdle, false);
  compactions[0]!.done();
  await settled();
  assert.equal(isIdle, true);
});

test("a value that is found damaged while the log is compacted: it is compacted once more", async () => {
  const { compactions, transfer } = await fixture();
  transfer.lost(4);
  transfer.lost(7);
  assert.deepEqual(
    compactions.map(({ upTo }) => upTo),
    [4],
  );
  for (let i = 0; i < 2; i += 1) {
    compactions[i]!.done();
    await settled();
  }
  assert.deepEqual(
    compactions.map(({ upTo }) => upTo),
    [4, 7],
  );
});

test("a compaction that fails ends the replica, but for one of a log that has ended without room", async () => {
  const { compactions, transfer, broken } = await fixture();
  transfer.lost(4);
  compactions[0]!.fail(noSpace("full"));
  await settled();
  assert.equal(broken.length, 0);
  transfer.lost(7);
  compactions[1]!.fail(new Error("no"));
  await settled();
  assert.equal(broken.length, 1);
});

test("of a fenced state no snapshot is begun, also for one who has waited since before", async () => {
  const { executor, transfer } = await fixture();
  const first = transfer.snapshot();
  // It is being written.
  await Promise.resolve();
  await Promise.resolve();
  executor.appliedUpTo = 11;
  const second = transfer.snapshot();
  executor.isFenced = true;
  assert.equal((await first).slot, 10);
  await assert.rejects(second, /no snapshot of the state can be made now/);
});

test("after it was stopped no snapshot is begun", async () => {
  const { transfer, made } = await fixture();
  transfer.stop();
  transfer.serve(2);
  await settled();
  assert.equal(made.begun, 0);
  await transfer.close();
});

test("a snapshot for another that has no room does not take the reserve: it is tried again after a while", async () => {
  const { disk, made, transfer, faults, files, time, broken } = await fixture();
  const text = /^there is no room on the disk for a snapshot for or of another replica/;
  disk.quota = disk.used + 3000;
  const before = disk.names();
  transfer.serve(2);
  await settled();
  assert.deepEqual([faults.length, transfer.alarms.length, made.ended], [1, 1, 1]);
  assert.match(faults[0]!, text);
  assert.match(transfer.alarms[0]!, text);
  // Nothing of it is left.
  assert.deepEqual([disk.names(), files.newest], [before, null]);
  time.now = 999;
  transfer.serve(2);
  await settled();
  assert.equal(made.begun, 1);
  time.now = 1000;
  transfer.serve(2);
  await settled();
  // It is told once, and the alarm stays for a minute after the last time.
  assert.deepEqual([made.begun, made.ended, faults.length, disk.names()], [2, 2, 1, before]);
  disk.quota = Number.POSITIVE_INFINITY;
  time.now = 60_999;
  assert.equal(transfer.alarms.length, 1);
  time.now = 61_000;
  assert.deepEqual(transfer.alarms, []);
  transfer.serve(2);
  await settled();
  assert.deepEqual([made.begun, files.newest?.slot, broken.length], [3, 10, 0]);
});

test("while the log or the state has no room no snapshot is made or fetched, and one under way is given up", async () => {
  const { disk, room, made, transfer, faults, files, fetch, sent } = await fixture();
  const before = disk.names();
  room.isLacking = true;
  transfer.serve(2);
  await fetch();
  assert.deepEqual([made.begun, sent.filter(({ kind }) => kind === "snapshotRequest").length], [0, 0]);
  room.isLacking = false;
  made.chunks = 1000;
  transfer.serve(2);
  await settled();
  assert.deepEqual([made.begun, made.ended], [1, 0]);
  room.isLacking = true;
  await settled();
  assert.deepEqual([made.ended, files.newest, disk.names(), faults.length], [1, null, before, 1]);
});

test("a snapshot that comes is given up when the log or the state has no room", async () => {
  const { disk, room, transfer, faults, sent, time, fetch } = await fixture();
  const before = disk.names();
  transfer.onMessage(2, { kind: "snapshotOffer", slot: 20, bytes: 100_000, sum: 1 });
  await settled();
  const asked = sent.find(({ kind }) => kind === "snapshotRequest");
  assert.ok(asked !== undefined);
  room.isLacking = true;
  const chunk = { slot: 20, bytes: 100_000, sum: 1, offset: 0, data: new Uint8Array(512) };
  transfer.onMessage(2, { kind: "snapshotChunk", ...chunk });
  await settled();
  assert.deepEqual(disk.names(), before);
  assert.match(faults[0]!, /^there is no room on the disk for a snapshot/);
  room.isLacking = false;
  const other = () =>
    sent.filter((message) => message.kind === "snapshotRequest" && message.bytes < 100_000).length;
  await fetch();
  assert.equal(other(), 0);
  time.now = 1000;
  await fetch();
  assert.equal(other(), 1);
});

test("while the disk is full the log keeps a quarter of its tail, and is compacted without a commit", async () => {
  const { room, transfer, tails, executor } = await fixture();
  transfer.committed();
  transfer.elapse(1);
  room.isLacking = true;
  // One that is fenced has nothing but its log to show.
  executor.isFenced = true;
  transfer.elapse(1);
  transfer.committed();
  executor.isFenced = false;
  transfer.elapse(2);
  transfer.committed();
  room.isLacking = false;
  transfer.elapse(3);
  transfer.committed();
  assert.deepEqual(tails, [64, 16, 16, 64]);
});
