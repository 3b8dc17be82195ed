// A snapshot of which no copy is whole: its frames are taken from wherever they are as they were, and what nobody has
// is told, while all else of it stays for when somebody comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diskWith, name, sample } from "../../test/support/snapshot-samples.js";
import type { SnapshotRequestMessage } from "../wire/snapshot-messages.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { FRAME_BYTES, FRAME_HEAD, SECTOR } from "./snapshot-format.js";
import { SnapshotReceiver } from "./snapshot-receiver.js";

const PIECE_BYTES = FRAME_BYTES;
const PAYLOAD = FRAME_BYTES - FRAME_HEAD;
/** `meta`, three full frames of the state, a last one. */
const STATE = sample(20, 3 * PAYLOAD + 700);
const EDGES = [0, 1, 2, 3].map((frame) => SECTOR + FRAME_HEAD + 40 + frame * FRAME_BYTES);

const settled = async () => {
  for (let i = 0; i < 50; i += 1) await new Promise(setImmediate);
};

/** The file with a wrong byte in each of these frames: 0 is `meta`, 1 the first of the state. */
async function damagedIn(...frames: readonly number[]): Promise<Uint8Array> {
  const bytes = (await diskWith(STATE)).bytesOf(name(20)).slice();
  for (const frame of frames) bytes[(frame === 0 ? SECTOR : EDGES[frame - 1]!) + 20]! ^= 16;
  return bytes;
}

/** `own`: as it was put aside here. */
async function receiverOf(own: Uint8Array | null, peers: ReadonlyMap<number, Uint8Array>) {
  const whole = (await SnapshotFiles.open(await diskWith(STATE))).newest!;
  const disk = await diskWith(sample(5, 100));
  if (own !== null) disk.put(name(20, ".damaged"), own);
  const files = await SnapshotFiles.open(disk);
  const state = {
    now: 0,
    installed: 0,
    stuck: [] as number[],
    linked: [...peers.keys()],
    asked: [] as string[],
  };
  const sent: { readonly to: number; readonly message: SnapshotRequestMessage }[] = [];
  const receiver = new SnapshotReceiver({
    files,
    isWanted: () => true,
    linked: () => state.linked,
    onBroken: (_info, offset) => void state.stuck.push(offset),
    install: async (info) => {
      await files.verify(info);
      state.installed += 1;
    },
    send: ([to], message) => void sent.push({ to: to!, message: message as SnapshotRequestMessage }),
    now: () => state.now,
    onFault: (text) => assert.fail(text),
    onFailed: (error) => assert.fail(error),
    checkRoom: () => {},
    onNoRoom: (error) => assert.fail(error),
  });
  /** Answers what was asked for, with the bytes that the peer has; of others nothing comes. */
  const serve = async (ms: number) => {
    for (const end = state.now + ms; state.now <= end; state.now += 100) {
      receiver.elapse(state.now);
      await settled();
      for (let next = sent.shift(); next !== undefined; next = sent.shift()) {
        const { to, message } = next;
        state.asked.push(`${to} at ${message.offset}`);
        const bytes = peers.get(to)!;
        const data = bytes.slice(message.offset, message.offset + PIECE_BYTES);
        if (bytes.length > 0) receiver.chunk(to, { ...message, kind: "snapshotChunk", data });
        await settled();
      }
    }
  };
  return { receiver, disk, files, whole, state, sent, serve };
}

test("what is whole here is not asked for; what is not comes from the first who has it", async () => {
  const peers = new Map([
    [2, await damagedIn(1, 2)],
    [3, await damagedIn(0, 3, 4)],
  ]);
  const { receiver, state, whole, serve, files } = await receiverOf(await damagedIn(1, 3), peers);
  receiver.offered(2, { kind: "snapshotOffer", ...whole });
  await serve(0);
  const atFirst = state.asked.filter((asked) => asked.endsWith(` at ${EDGES[0]}`));
  assert.deepEqual(atFirst, [`2 at ${EDGES[0]}`, `3 at ${EDGES[0]}`]);
  await serve(3000);
  assert.deepEqual([state.installed, state.stuck], [1, []]);
  assert.deepEqual(
    files.all.map(({ slot }) => slot),
    [5, 20],
  );
});

test("an offered one that turns out damaged there is taken from others, from that frame on", async () => {
  const peers = new Map([
    [2, await damagedIn(2)],
    [3, await damagedIn(0)],
  ]);
  const { receiver, state, whole, serve } = await receiverOf(null, peers);
  receiver.offered(2, { kind: "snapshotOffer", ...whole });
  await serve(3000);
  assert.equal(state.installed, 1);
  assert.ok(state.asked.includes(`3 at ${EDGES[1]}`), state.asked.join());
  // Each is told once, and only what it has sent.
  const told = state.asked.filter((asked) => asked.endsWith(` at ${whole.bytes}`));
  assert.deepEqual(told, [`2 at ${whole.bytes}`]);
  assert.ok(!state.asked.includes(`3 at 0`));
});

test("what nobody has is told, with its place; the rest is kept, and is enough when somebody comes back", async () => {
  const peers = new Map([
    [2, await damagedIn(2)],
    [3, new Uint8Array(0)],
    [4, await damagedIn(0, 1)],
  ]);
  const { receiver, state, whole, serve, disk } = await receiverOf(await damagedIn(2), peers);
  state.linked = [2, 3];
  receiver.offered(2, { kind: "snapshotOffer", ...whole });
  await serve(3000);
  assert.deepEqual([state.installed, state.stuck, receiver.isFetching], [0, [EDGES[1]], false]);
  assert.ok(disk.has(name(20, ".part")));
  // Who has been found to have nothing whole is not believed at once.
  receiver.offered(4, { kind: "snapshotOffer", ...whole });
  assert.equal(receiver.isFetching, false);
  await serve(10_000);
  state.linked = [2, 3, 4];
  receiver.offered(2, { kind: "snapshotOffer", ...whole });
  await serve(3000);
  assert.equal(state.installed, 1);
  assert.ok(!state.asked.includes("4 at 0"), "what was whole had stayed");
});

test("a piece that comes late from one who had it damaged, or within a frame of another, is left alone", async () => {
  const bad = await damagedIn(1);
  const good = await damagedIn();
  const { receiver, state, whole } = await receiverOf(
    null,
    new Map([
      [2, bad],
      [3, good],
    ]),
  );
  const chunk = (from: number, bytes: Uint8Array, offset: number, length: number) => {
    const data = bytes.slice(offset, offset + length);
    receiver.chunk(from, { kind: "snapshotChunk", ...whole, offset, data });
    return settled();
  };
  receiver.offered(2, { kind: "snapshotOffer", ...whole });
  await settled();
  await chunk(2, bad, 0, EDGES[1]!);
  await chunk(2, good, EDGES[0]!, FRAME_BYTES);
  await chunk(3, good, EDGES[0]!, 1000);
  await chunk(2, good, EDGES[0]! + 1000, FRAME_BYTES);
  await chunk(4, good, EDGES[0]! + 1000, FRAME_BYTES);
  assert.equal(receiver.bytes, EDGES[1]! + 1000);
  await chunk(3, good, EDGES[0]! + 1000, whole.bytes);
  assert.equal(state.installed, 1);
});

test("the next piece is asked for while one is written, once, and taken when it comes meanwhile", async () => {
  const good = await damagedIn();
  const { receiver, state, whole, sent } = await receiverOf(null, new Map([[2, good]]));
  const chunk = (offset: number, end: number) => {
    const data = good.slice(offset, end);
    receiver.chunk(2, { kind: "snapshotChunk", ...whole, offset, data });
  };
  const asked = () => sent.splice(0).map(({ message }) => message.offset);
  receiver.offered(2, { kind: "snapshotOffer", ...whole });
  await settled();
  assert.deepEqual(asked(), [0]);
  chunk(0, 1000);
  assert.deepEqual(asked(), [1000]);
  // Of those that come meanwhile only the one that was asked for is kept, and once.
  chunk(1000, 2000);
  chunk(1000, 2000);
  chunk(2000, 3000);
  await settled();
  assert.deepEqual([asked(), receiver.bytes], [[2000], 2000]);
  chunk(2000, whole.bytes);
  assert.deepEqual(asked(), []);
  await settled();
  assert.deepEqual([state.installed, receiver.bytes], [1, whole.bytes]);
});

test("what came meanwhile goes with a damaged piece before it", async () => {
  const bad = await damagedIn(1);
  const good = await damagedIn();
  const peers = new Map([
    [2, bad],
    [3, good],
  ]);
  const { receiver, state, whole, sent, serve } = await receiverOf(null, peers);
  receiver.offered(2, { kind: "snapshotOffer", ...whole });
  await settled();
  const cut = EDGES[1]!;
  receiver.chunk(2, { kind: "snapshotChunk", ...whole, offset: 0, data: bad.slice(0, cut) });
  receiver.chunk(2, { kind: "snapshotChunk", ...whole, offset: cut, data: bad.slice(cut, cut + 1000) });
  await settled();
  assert.equal(receiver.bytes, cut);
  assert.deepEqual(
    sent.map(({ to, message }) => `${to} at ${message.offset}`),
    // The end: that what came was damaged.
    ["2 at 0", `2 at ${cut}`, `2 at ${whole.bytes}`, `3 at ${EDGES[0]}`],
  );
  sent.splice(0, 3);
  await serve(1000);
  assert.equal(state.installed, 1);
});
