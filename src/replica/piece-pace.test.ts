// Pieces for links of any speed: sender and receiver, with heartbeats in the same queue, over links that are modelled.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sample, write } from "../../test/support/snapshot-samples.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import type { PeerMessage } from "../wire/peer-message.js";
import type { SnapshotChunkMessage, SnapshotRequestMessage } from "../wire/snapshot-messages.js";
import { PiecePace } from "./piece-pace.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { SnapshotReceiver } from "./snapshot-receiver.js";
import { SnapshotSender } from "./snapshot-sender.js";

const MOST = 256 << 10;
const LEAST = 16 << 10;
const HEARTBEAT_MS = 50;

const settled = async () => {
  for (let i = 0; i < 30; i += 1) await new Promise(setImmediate);
};

/** Sends all of a snapshot over a link of so many bits a millisecond, `wayMs` long each way. */
async function transferred(stateBytes: number, bitsPerMs: number, wayMs: number) {
  const refuse = (what: string | Error) => assert.fail(what);
  let now = 0;
  let installed = 0;
  let freeAt = 0;
  let waited = 0;
  const lengths: number[] = [];
  const due: { readonly at: number; readonly run: () => void }[] = [];
  const queue = (bytes: number, run: () => void) => {
    freeAt = Math.max(freeAt, now) + (bytes * 8) / bitsPerMs;
    due.push({ at: freeAt + wayMs, run });
  };
  const beat = () => {
    const sentAt = now;
    queue(60, () => {
      waited = Math.max(waited, now - sentAt - wayMs);
    });
    due.push({ at: now + HEARTBEAT_MS, run: beat });
  };
  const source = await SnapshotFiles.open(new MemoryDisk());
  const info = await write(source, sample(20, stateBytes));
  const common = { now: () => now, onFault: refuse, onFailed: refuse, onNoRoom: refuse };
  const sender = new SnapshotSender({
    ...common,
    files: source,
    areMachines: false,
    compactedUpTo: () => 0,
    appliedUpTo: () => 20,
    capture: () => null,
    hasten: () => {},
    isLacking: () => false,
    onLost: () => {},
    isTrusted: () => true,
    send: (_to, message: PeerMessage) => {
      const { data } = message as SnapshotChunkMessage;
      lengths.push(data.length);
      queue(data.length, () => receiver.chunk(1, message as SnapshotChunkMessage));
    },
  });
  const receiver = new SnapshotReceiver({
    ...common,
    files: await SnapshotFiles.open(new MemoryDisk()),
    isWanted: () => true,
    linked: () => [1],
    onBroken: () => assert.fail("it is whole"),
    install: async () => {
      installed += 1;
    },
    send: (_to, message: PeerMessage) =>
      due.push({ at: now + wayMs, run: () => sender.asked(2, message as SnapshotRequestMessage) }),
    checkRoom: () => {},
  });
  receiver.offered(1, { kind: "snapshotOffer", ...info });
  beat();
  while (installed === 0) {
    await settled();
    due.sort((a, b) => a.at - b.at);
    const next = due[0]!;
    if (receiver.deadline <= next.at) {
      now = Math.max(now, receiver.deadline);
      receiver.elapse(now);
    } else {
      due.shift();
      now = next.at;
      next.run();
    }
  }
  const sent = lengths.reduce((all, length) => all + length, 0);
  return { ms: now, waited, lengths, isOnce: sent === info.bytes, most: Math.max(...lengths) };
}

test("a slow link carries every piece once, and heartbeats wait for far less than the time after which a leader is given up", async () => {
  for (const [megabits, wayMs] of [
    [1, 5],
    [1, 100],
    [2, 20],
    [4, 50],
  ] as const) {
    const { waited, isOnce, ms } = await transferred(600_000, megabits * 1000, wayMs);
    assert.ok(waited < 300, `${megabits} Mbit/s: a heartbeat waits for ${waited} ms`);
    assert.ok(isOnce, `${megabits} Mbit/s`);
    // It takes no longer than the link and the ways there and back make it take.
    assert.ok(ms < 2 * ((600_000 * 8) / (megabits * 1000)) + 40 * 2 * wayMs, `${ms} ms`);
  }
});

test("a fast link has the largest pieces soon, however far it reaches", async () => {
  for (const wayMs of [0, 100]) {
    const { lengths } = await transferred(3_000_000, 1_000_000, wayMs);
    assert.deepEqual(
      lengths.slice(0, 6),
      [16, 32, 64, 128, 256, 256].map((kib) => kib << 10),
    );
  }
});

test("a piece that is asked for again is shorter, and none is shorter or longer than the limits", () => {
  const info = { slot: 20, bytes: 10_000_000, sum: 1 };
  const pace = new PiecePace(MOST);
  let offset = 0;
  const after = (ms: number) => {
    now += ms;
    const length = pace.next(info, offset, now);
    offset += length;
    return length;
  };
  let now = 0;
  const quick = [after(0), after(10), after(10), after(10), after(10), after(10)];
  assert.deepEqual(quick, [LEAST, 2 * LEAST, 4 * LEAST, 8 * LEAST, MOST, MOST]);
  assert.deepEqual([after(80), after(111), after(60)], [MOST, MOST / 2, MOST / 2]);
  offset -= MOST / 2;
  assert.equal(after(500), MOST / 4);
  for (let i = 0; i < 9; i += 1) after(500);
  assert.equal(after(500), LEAST);
  assert.equal(new PiecePace(4096).next(info, 0, 0), 4096);
  // Another snapshot may come over another way.
  const other = { ...info, slot: 21 };
  pace.next(other, 0, 0);
  assert.equal(pace.next(other, LEAST, 300), 2 * LEAST);
});

test("a way that has become longer is got used to", () => {
  const pace = new PiecePace(MOST);
  const info = { slot: 1, bytes: 1e9, sum: 1 };
  let at = 0;
  let now = 0;
  const send = (ms: number) => {
    const length = pace.next(info, at, now);
    at += length;
    now += ms;
    return length;
  };
  send(2);
  for (let i = 0; i < 40; i += 1) send(2 + 101);
  // By now the quickest of the last ones is another one.
  assert.equal(send(103), MOST);
});
