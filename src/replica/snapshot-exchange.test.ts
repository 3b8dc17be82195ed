// Which snapshots are offered and sent, what becomes of one that came damaged, and how long one is kept.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diskWith, name, sample, write } from "../../test/support/snapshot-samples.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import type { PeerMessage } from "../wire/peer-message.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { SnapshotSender } from "./snapshot-sender.js";

const settled = async () => {
  for (let i = 0; i < 50; i += 1) await new Promise(setImmediate);
};

async function senderOf(areMachines: boolean, disk = new MemoryDisk()) {
  const files = await SnapshotFiles.open(disk);
  const sent: PeerMessage[] = [];
  const state = {
    appliedUpTo: 20,
    isTrusted: true,
    captures: 0,
    hastened: 0,
    lost: 0,
    isLacking: false,
    now: 0,
    faults: [] as string[],
  };
  const sender = new SnapshotSender({
    files,
    areMachines,
    compactedUpTo: () => 0,
    appliedUpTo: () => state.appliedUpTo,
    capture: () => {
      state.captures += 1;
      const chunks = (async function* () {
        yield new Uint8Array(1000);
      })();
      return { slot: state.appliedUpTo, meta: new Uint8Array(3), chunks };
    },
    hasten: () => {
      state.hastened += 1;
    },
    isLacking: () => state.isLacking,
    onLost: () => {
      state.lost += 1;
    },
    isTrusted: () => state.isTrusted,
    send: (_to, message) => void sent.push(message),
    now: () => state.now,
    onFault: (text) => void state.faults.push(text),
    onFailed: (error) => assert.fail(error),
    onNoRoom: (error) => assert.fail(error),
  });
  const ask = (slot: number) =>
    sender.asked(9, { kind: "snapshotRequest", slot, bytes: 0, sum: 0, offset: 0 });
  const slots = () => sent.splice(0).map((message) => ("slot" in message ? message.slot : message.kind));
  return { sender, files, state, ask, slots, sent, disk };
}

test("one that is asked for a slot makes a snapshot of it or a later one, when it has got there", async () => {
  const { files, state, ask, slots } = await senderOf(false);
  await write(files, sample(10, 500));
  ask(10);
  assert.deepEqual([slots(), state.captures], [[10], 0]);
  ask(21);
  await settled();
  assert.deepEqual([slots(), state.captures], [[], 0], "it has not executed that slot: it is asked again");
  ask(15);
  await settled();
  assert.deepEqual([slots(), state.captures], [[20], 1]);
});

test("where the machine writes its own snapshots it does so soon, and then they are offered", async () => {
  const { sender, files, state, ask, slots } = await senderOf(true);
  await write(files, sample(10, 500));
  ask(12);
  assert.deepEqual([slots(), state.hastened], [[], 1]);
  await write(files, sample(20, 500));
  sender.made();
  assert.deepEqual(slots(), [20]);
});

test("where there is nothing whole, damaged ones are offered that reach as far as is asked for, and sent as they are", async () => {
  const { sender, files, state, ask, slots, sent } = await senderOf(true);
  state.appliedUpTo = 0;
  for (const slot of [10, 20, 30]) await files.setAside(await write(files, sample(slot, 500)));
  ask(15);
  assert.deepEqual([slots(), state.hastened], [[30, 20], 0]);
  const [info] = files.broken.all;
  sender.asked(9, { kind: "snapshotRequest", ...info!, offset: 100 });
  await settled();
  assert.deepEqual(sent.splice(0), [
    { kind: "snapshotChunk", ...info!, offset: 100, data: await files.broken.read(info!, 100, 5000) },
  ]);
  assert.equal(sender.keepFrom, 30, "the log after it is what comes next");
  state.isTrusted = false;
  ask(15);
  assert.deepEqual(slots(), []);
});

test("what is asked for while a piece is read is sent after it, the last of it, and nothing twice", async () => {
  const { sender, files, sent } = await senderOf(false);
  const info = await write(files, sample(20, 50_000));
  const ask = (offset: number) => sender.asked(9, { kind: "snapshotRequest", ...info, offset });
  for (const offset of [512, 900, 700]) ask(offset);
  await settled();
  const offsets = () => sent.splice(0).map((message) => "offset" in message && message.offset);
  assert.deepEqual(offsets(), [512, 700]);
  ask(800);
  ask(800);
  await settled();
  assert.deepEqual(offsets(), [800]);
});

test("a state that is not to be trusted is neither offered nor sent, not even what was begun", async () => {
  const { sender, files, state, ask, slots } = await senderOf(false);
  const info = await write(files, sample(20, 500));
  state.isTrusted = false;
  ask(5);
  sender.offer(9);
  sender.asked(9, { kind: "snapshotRequest", ...info, offset: 0 });
  await settled();
  assert.deepEqual([slots(), state.captures], [[], 0]);
});

/** A byte of the state, on the disk. */
function rot(disk: MemoryDisk, slot: number, at = 700): void {
  disk.bytesOf(name(slot))[at]! ^= 1;
}

test("who is told that a piece came damaged reads its file, puts it aside, and makes and offers another one", async () => {
  const { sender, files, state, slots, disk } = await senderOf(false);
  const info = await write(files, sample(10, 500));
  const complain = () => sender.asked(9, { kind: "snapshotRequest", ...info, offset: info.bytes });
  // A word is no proof.
  complain();
  await settled();
  assert.deepEqual([slots(), disk.names(), state.faults], [[10], [name(10)], []]);
  rot(disk, 10);
  sender.offer(9);
  await settled();
  assert.deepEqual(slots(), [10], "nobody has said so since");
  state.now = 59_999;
  complain();
  await settled();
  assert.deepEqual([slots(), state.faults], [[], []], "it is read once in a minute at most");
  state.now = 60_000;
  complain();
  sender.offer(8);
  assert.deepEqual(slots(), [], "while it is read it is offered to nobody");
  await settled();
  assert.deepEqual([slots(), state.captures, disk.names()], [[20, 20], 1, [name(10, ".damaged"), name(20)]]);
  assert.match(state.faults.join(), /^the snapshot snapshot-0{14}10 is damaged.*is put aside/);
  assert.equal(sender.keepFrom, 20);
});

test("a file that an earlier life has left is read before it is offered", async () => {
  for (const isRotten of [false, true]) {
    const disk = await diskWith(sample(20, 500));
    if (isRotten) rot(disk, 20);
    const { sender, state, slots } = await senderOf(false, disk);
    sender.offer(9);
    assert.deepEqual(slots(), []);
    await settled();
    assert.deepEqual([slots(), state.captures, state.faults.length], isRotten ? [[20], 1, 1] : [[20], 0, 0]);
    sender.offer(9);
    assert.deepEqual(slots(), [20]);
  }
});

test("nor is it given to who asks for a snapshot of this moment", async () => {
  const disk = await diskWith(sample(20, 500));
  rot(disk, 20);
  const { sender, files, state } = await senderOf(false, disk);
  assert.equal((await sender.fresh()).slot, 20);
  assert.equal(state.captures, 1);
  await files.verify(files.newest!);
});

test("one that cannot be read is read again as a whole, and told", async () => {
  const { sender, files, state, sent } = await senderOf(false);
  const info = await write(files, sample(20, 500));
  const { verify } = files;
  files.read = () => Promise.reject(new Error("EIO"));
  files.verify = () => Promise.reject(new Error("EIO"));
  const ask = () => sender.asked(9, { kind: "snapshotRequest", ...info, offset: 0 });
  ask();
  await settled();
  assert.deepEqual(state.faults.splice(0), ["the snapshot of slot 20 cannot be read: EIO"]);
  files.verify = verify.bind(files);
  ask();
  await settled();
  assert.deepEqual(state.faults, ["the snapshot of slot 20 cannot be read: EIO"]);
  assert.equal(sent.at(-1)!.kind, "snapshotOffer");
});

test("where the files are the machine's it is told of one that is put aside, and an older one is offered", async () => {
  const { sender, files, state, slots, disk } = await senderOf(true);
  await write(files, sample(10, 500));
  const info = await write(files, sample(20, 500));
  rot(disk, 20);
  sender.asked(9, { kind: "snapshotRequest", ...info, offset: info.bytes });
  await settled();
  assert.deepEqual([slots(), state.lost, state.hastened], [[10], 1, 0]);
});

test("after it was stopped it begins nothing, whatever a reading under way comes to", async () => {
  // In the first frame, which is read at once, and in one that would be read later.
  for (const at of [540, 900_000]) {
    for (const areMachines of [false, true]) {
      const disk = await diskWith(sample(20, 1_000_000));
      const { sender, files, state, ask, slots } = await senderOf(areMachines, disk);
      rot(disk, 20, at);
      ask(10);
      sender.stop();
      await sender.close();
      assert.deepEqual(disk.names(), [at === 540 ? name(20, ".damaged") : name(20)]);
      state.now = 60_000;
      let read = 0;
      files.verify = async () => {
        read += 1;
      };
      ask(21);
      sender.offer(8);
      await sender.scrub(async () => {});
      state.appliedUpTo = 21;
      await assert.rejects(sender.fresh(), /no snapshot of the state can be made now/);
      assert.deepEqual([slots(), state.captures, state.hastened, state.lost, read], [[], 0, 0, 0, 0]);
    }
  }
});

test("one that is read for somebody is not let go of, however long that takes, nor the log after it", async () => {
  const { sender, files, state, slots, ask } = await senderOf(false, await diskWith(sample(20, 500)));
  let goOn = () => {};
  const verify = files.verify.bind(files);
  files.verify = async (info) => {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    return verify(info);
  };
  ask(10);
  for (const now of [60_000, 120_000, 180_000]) {
    state.now = now;
    assert.ok(sender.deadline <= now);
    sender.tidy(now);
    assert.ok(sender.deadline > now);
    await settled();
    assert.deepEqual([slotsOf(files), sender.keepFrom, slots()], [[20], 20, []]);
  }
  goOn();
  await settled();
  assert.deepEqual(slots(), [20]);
  // The minute until it may be read again begins now.
  const [info] = files.all;
  state.now += 59_999;
  sender.asked(9, { kind: "snapshotRequest", ...info!, offset: info!.bytes });
  sender.offer(8);
  assert.deepEqual(slots(), [20]);
});

test("a scrub reads what the machine keeps, with pauses, and a snapshot that is made does not wait for it", async () => {
  const disk = await diskWith(sample(10, 600_000), sample(20, 600_000));
  rot(disk, 10);
  const { sender, state } = await senderOf(true, disk);
  let pauses = 0;
  const scrubbed = sender.scrub(async () => {
    pauses += 1;
    await sender.idle();
  });
  await scrubbed;
  // After each good frame: one of the first file, the four of the other.
  assert.deepEqual([pauses, state.faults.length, state.lost], [5, 1, 1]);
  assert.deepEqual(disk.names(), [name(10, ".damaged"), name(20)]);
});

/** Of a scrub: whoever waits for it after so many of them waits for ever. */
const pausesUntil = (count: number) => async () => {
  count -= 1;
  if (count < 0) await new Promise(() => {});
};

test("what only a scrub reads is given to whoever needs it: at once when it was checked, else when it was read", async () => {
  for (const isChecked of [true, false]) {
    const { sender, files, state, slots } = await senderOf(true, await diskWith(sample(20, 600_000)));
    if (isChecked) await files.verify(files.newest!);
    void sender.scrub(pausesUntil(0));
    await settled();
    sender.offer(9);
    const fresh = sender.fresh();
    assert.deepEqual(slots(), isChecked ? [20] : []);
    await settled();
    assert.deepEqual(slots(), isChecked ? [] : [20]);
    assert.equal((await fresh).slot, 20);
    // Nor is the log kept for one that nobody but a scrub is at.
    state.now = 60_000;
    sender.tidy(state.now);
    assert.equal(sender.keepFrom, Number.POSITIVE_INFINITY);
  }
});

test("what came damaged is read from its begin, whatever a scrub reads, and so is what is offered in its place", async () => {
  // In the first of two files of four frames, and in the other one, behind the damage.
  for (const count of [0, 5]) {
    const disk = await diskWith(sample(10, 600_000), sample(20, 600_000));
    const { sender, files, state, slots } = await senderOf(true, disk);
    const [older, info] = files.all;
    void sender.scrub(pausesUntil(count));
    await settled();
    assert.equal(files.isChecked(older!), count > 0);
    rot(disk, 20);
    sender.asked(9, { kind: "snapshotRequest", ...info!, offset: info!.bytes });
    await settled();
    assert.deepEqual([slots(), state.lost, state.faults.length], [[10], 1, 1]);
    assert.deepEqual([disk.names(), files.isChecked(older!)], [[name(10), name(20, ".damaged")], true]);
  }
});

test("what an earlier life has left is not offered unread while another one is read for somebody", async () => {
  const disk = await diskWith(sample(10, 600_000), sample(20, 600_000));
  rot(disk, 20, 500_000);
  const { sender, files, slots } = await senderOf(false, disk);
  const [older] = files.all;
  sender.asked(8, { kind: "snapshotRequest", ...older!, offset: older!.bytes });
  sender.offer(9);
  await settled();
  assert.deepEqual(
    [slots(), disk.names()],
    [
      [10, 10],
      [name(10), name(20, ".damaged")],
    ],
  );
});

const slotsOf = (files: SnapshotFiles) => files.all.map(({ slot }) => slot);

test("of the machine's files one that is fetched stays, until a minute after it was asked for last", async () => {
  const { sender, files, state, disk } = await senderOf(true);
  const info = await write(files, sample(10, 500));
  const ask = (from: number, wanted = info) =>
    sender.asked(from, { kind: "snapshotRequest", ...wanted, offset: 0 });
  const commit = async (slot: number) => {
    const written = await write(files, sample(slot, 500));
    await files.removeOld();
    return written;
  };
  const tidy = async (now: number) => {
    state.now = now;
    assert.ok(sender.deadline <= now);
    sender.tidy(now);
    await settled();
    return slotsOf(files);
  };
  ask(8);
  ask(9);
  await settled();
  for (const slot of [20, 30, 40]) await commit(slot);
  assert.deepEqual([slotsOf(files), sender.keepFrom], [[10, 30, 40], 10]);
  // A later life of this replica finds it, and keeps it likewise.
  const later = await senderOf(true, disk.copy());
  await later.files.removeOld();
  assert.deepEqual([slotsOf(later.files), later.sender.keepFrom], [[10, 30, 40], 10]);
  // One for each that fetches.
  ask(8, files.all[1]);
  await settled();
  await commit(50);
  const sixth = await commit(60);
  assert.deepEqual(slotsOf(files), [10, 30, 50, 60]);
  assert.deepEqual(await tidy(59_999), [10, 30, 50, 60]);
  ask(9, sixth);
  assert.deepEqual(await tidy(60_999), [50, 60]);
});

test("a file that is fetched and that the machine needs no more goes when something else has no room", async () => {
  const { sender, files, state } = await senderOf(true);
  const info = await write(files, sample(10, 500));
  sender.asked(9, { kind: "snapshotRequest", ...info, offset: 0 });
  await settled();
  for (const slot of [20, 30]) await write(files, sample(slot, 500));
  await files.removeOld();
  state.isLacking = true;
  sender.tidy(999);
  assert.equal(sender.deadline, 1000);
  await settled();
  assert.deepEqual(slotsOf(files), [10, 20, 30]);
  sender.tidy(1000);
  await settled();
  assert.deepEqual(slotsOf(files), [20, 30]);
});
