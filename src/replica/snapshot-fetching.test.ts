// When a snapshot is fetched, from whom, how often it is asked for, and when it is given up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { name, sample, write } from "../../test/support/snapshot-samples.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import type { SnapshotChunkMessage, SnapshotRequestMessage } from "../wire/snapshot-messages.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { SnapshotReceiver } from "./snapshot-receiver.js";

const settled = async () => {
  for (let i = 0; i < 50; i += 1) await new Promise(setImmediate);
};

async function receiverOf() {
  const source = await SnapshotFiles.open(new MemoryDisk());
  const info = await write(source, sample(20, 5000));
  const disk = new MemoryDisk();
  const files = await SnapshotFiles.open(disk);
  const asked: SnapshotRequestMessage[] = [];
  const state = { now: 0, installed: 0, faults: [] as string[] };
  const receiver = new SnapshotReceiver({
    files,
    isWanted: () => true,
    linked: () => [2],
    onBroken: ({ slot }) => assert.fail(`the snapshot of slot ${slot} is broken`),
    install: async () => {
      state.installed += 1;
    },
    send: (_to, message) => void asked.push(message as SnapshotRequestMessage),
    now: () => state.now,
    onFault: (text) => void state.faults.push(text),
    onFailed: (error) => assert.fail(error),
    checkRoom: () => {},
    onNoRoom: (error) => assert.fail(error),
  });
  const piece = async (offset: number, length: number): Promise<SnapshotChunkMessage> => {
    return { kind: "snapshotChunk", ...info, offset, data: await source.read(info, offset, length) };
  };
  const offer = () => receiver.offered(2, { kind: "snapshotOffer", ...info });
  return { receiver, disk, info, asked, state, piece, offer };
}

test("what is given up is removed, and begins anew with the next offer", async () => {
  for (const isBusy of [false, true]) {
    const { receiver, disk, info, asked, state, piece, offer } = await receiverOf();
    offer();
    await settled();
    receiver.chunk(2, await piece(0, 2000));
    if (!isBusy) await settled();
    receiver.giveUp();
    await settled();
    assert.deepEqual([disk.names(), receiver.isFetching], [[], false]);
    const before = asked.length;
    receiver.chunk(2, await piece(2000, 4000));
    receiver.elapse(10_000);
    await settled();
    assert.equal(asked.length, before);
    offer();
    await settled();
    assert.equal(asked.at(-1)!.offset, 0);
    receiver.chunk(2, await piece(0, info.bytes));
    await settled();
    assert.deepEqual([state.installed, disk.names()], [1, [name(20)]]);
  }
});

test("who sent what does not add up at the end is told", async () => {
  const { receiver, info, asked, state, piece } = await receiverOf();
  const other = { ...info, sum: info.sum ^ 1 };
  receiver.offered(2, { kind: "snapshotOffer", ...other });
  await settled();
  receiver.chunk(2, { ...(await piece(0, info.bytes)), ...other });
  await settled();
  assert.deepEqual(asked.at(-1), { kind: "snapshotRequest", ...other, offset: info.bytes });
  assert.match(state.faults.join(), /^the snapshot of slot 20 from replica 2: /);
});

test("the last piece of what is given up installs nothing", async () => {
  const { receiver, info, state, piece, offer } = await receiverOf();
  offer();
  await settled();
  const all = await piece(0, info.bytes);
  receiver.chunk(2, all);
  receiver.giveUp();
  await settled();
  assert.equal(state.installed, 0);
});

test("what is given up as another one takes its place is not begun", async () => {
  for (const isGivenUp of [true, false]) {
    const { receiver, disk, info, asked, state, piece, offer } = await receiverOf();
    offer();
    await settled();
    receiver.chunk(2, await piece(0, 2000));
    await settled();
    state.now = 2000;
    asked.splice(0);
    receiver.offered(3, { kind: "snapshotOffer", ...info, slot: 21 });
    if (isGivenUp) receiver.giveUp();
    await settled();
    const expected = isGivenUp ? [0, 0, false] : [1, 1, true];
    assert.deepEqual([asked.length, disk.names().length, receiver.isFetching], expected);
  }
});

test("one who offers again and again what it does not send is asked twice a second", async () => {
  const { receiver, asked, state, offer } = await receiverOf();
  offer();
  await settled();
  asked.splice(0);
  for (state.now = 1000; state.now < 4000; state.now += 100) offer();
  assert.deepEqual([asked.length, receiver.isFetching], [4, false]);
});

test("of several who offer what has fallen silent one is asked, and has two seconds as well", async () => {
  const { receiver, info, asked, state, piece, offer } = await receiverOf();
  offer();
  await settled();
  receiver.chunk(2, await piece(0, 2000));
  await settled();
  asked.splice(0);
  for (state.now = 2000; state.now < 3900; state.now += 100)
    for (const peer of [2, 3, 4]) receiver.offered(peer, { kind: "snapshotOffer", ...info });
  assert.equal(asked.length, 2, "the first once more, then another one");
  assert.equal(receiver.sourceOf(20), 0, "it is not linked");
  receiver.chunk(3, await piece(2000, 6000));
  await settled();
  assert.equal(state.installed, 1);
});

test("one who sends nothing for two seconds is not waited for", async () => {
  const { receiver, state, offer } = await receiverOf();
  assert.equal(receiver.isFetching, false);
  offer();
  await settled();
  assert.deepEqual([receiver.isFetching, receiver.sourceOf(20), receiver.sourceOf(21)], [true, 2, 0]);
  state.now = 2000;
  assert.deepEqual([receiver.isFetching, receiver.sourceOf(20)], [false, 0]);
});

test("what does not come is asked for again ever more seldom, and as often as at first when a piece has come", async () => {
  const { receiver, info, asked, state, piece, offer } = await receiverOf();
  const times = async (ms: number) => {
    const found: number[] = [];
    asked.splice(0);
    for (const from = state.now; state.now < from + ms; state.now += 100) {
      receiver.elapse(state.now);
      assert.ok(receiver.deadline > state.now);
      if (asked.splice(0).length > 0) found.push(state.now - from);
    }
    return found;
  };
  offer();
  await settled();
  assert.deepEqual(await times(16_000), [500, 1500, 3500, 7500, 11500, 15500]);
  receiver.chunk(2, await piece(0, 2000));
  await settled();
  assert.deepEqual(await times(2000), [500, 1500]);
  // Nor is another one that takes over waited for so long at once.
  receiver.offered(3, { kind: "snapshotOffer", ...info });
  assert.deepEqual(await times(2000), [500, 1500]);
});
