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
async function fixture(compactedUpTo = 0) {
  const peer = await SnapshotFiles.open(await diskWith({ ...sample(20, 500), meta: META }));
  const files = await SnapshotFiles.open(await diskWith());
  const trace: string[] = [];
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
  const compactions: { upTo: number; done: () => void; fail: (error: Error) => void }[] = [];
  const wal = {
    compactedUpTo,
    damagedReads: 0,
    size: 0,
    compactable: () => 0,
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
        snapshot: async function* () {
          yield Uint8Array.of(1);
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
    room: { allocate: (_what: string, attempt: () => Promise<unknown>) => attempt() },
  } as unknown as Opened<unknown, unknown, unknown, unknown>;
  const broken: Error[] = [];
  const time = { now: 0 };
  const sent: SnapshotMessage[] = [];
  const transfer = new StateTransfer(opened, {
    clock: { now: () => time.now } as never,
    network: { send: (_to, message) => void sent.push(message as SnapshotMessage) },
    tailBytes: 0,
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
    onFault: () => {},
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
  return { executor, during, wal, compactions, transfer, trace, broken, fetch, files, time, sent };
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
