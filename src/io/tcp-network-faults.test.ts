// What a TcpNetwork does with strangers, damage, copies, and peers that do not read or do not answer.
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { RawPeer } from "../../test/io/raw-peer.js";
import { TcpLab } from "../../test/io/tcp-lab.js";
import { numbered } from "../replica/network-contract.js";
import { FRAME_KINDS, MAX_FRAME_BYTES, sealFrame, startFrame } from "../wire/frame.js";
import { encodeBare, encodeNumber, encodeSighting } from "../wire/handshake.js";

let lab: TcpLab;

afterEach(() => lab.close());

describe("refusals are told to both sides", () => {
  const otherVersion = startFrame(FRAME_KINDS.hello);
  otherVersion.u32(0x53594e44);
  otherVersion.u16(9);
  const table: readonly [string, (peer: RawPeer) => RawPeer, RegExp][] = [
    ["another version", (peer) => peer.write(sealFrame(otherVersion)), /version 9 .* run releases/],
    ["another cluster", (peer) => peer.hello(2, { clusterId: "0".repeat(16) }), /cluster id is 0{16}/],
    ["no member", (peer) => peer.hello(7), /replica 7 .* not a member/],
    ["another process with this id", (peer) => peer.hello(1, { run: 99 }), /another replica 1/],
    ["this very run", (peer) => peer.hello(1), /dialled itself/],
    ["one that looks for another", (peer) => peer.hello(2, { to: 3 }), /looking for replica 3/],
  ];
  for (const [what, act, expected] of table) {
    test(what, async () => {
      lab = await TcpLab.open();
      const one = await lab.startOne();
      const peer = act(lab.raw());
      await lab.until("it is closed", () => peer.isClosed);
      assert.match(peer.refusal, expected);
      assert.equal(one.faults.length, 1);
      assert.equal(one.faults[0]!.text, peer.refusal);
      assert.equal(one.count("up 2"), 0);
      await lab.linked(2);
    });
  }

  test("a refusal that comes from a peer is told", async () => {
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const peer = await lab.linked(2);
    const writer = startFrame(FRAME_KINDS.refusal);
    for (const code of Buffer.from("because")) writer.u8(code);
    peer.write(sealFrame(writer));
    await lab.until("it is told", () =>
      one.faults.some(({ peer, text }) => peer === 2 && text === "because"),
    );
    await lab.until("the peer counts as down", () => one.count("down 2") === 2);
  });
});

describe("bad bytes close the connection, are counted and told, and the server goes on", () => {
  const oversized = new Uint8Array(8);
  new DataView(oversized.buffer).setUint32(4, MAX_FRAME_BYTES + 1, true);
  const largeHello = new Uint8Array(8);
  new DataView(largeHello.buffer).setUint32(4, 4097, true);
  const damaged = encodeNumber(FRAME_KINDS.welcome, 5);
  damaged[damaged.length - 1] = damaged[damaged.length - 1]! ^ 1;
  const malformed = startFrame(FRAME_KINDS.message);
  malformed.u8(255);

  const strangers: readonly [string, Uint8Array | string][] = [
    ["an HTTP request", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["a first frame over 4 KiB", largeHello],
    ["a wrong checksum", damaged],
    ["a first frame that is no hello", encodeBare(FRAME_KINDS.take)],
  ];
  for (const [what, bytes] of strangers) {
    test(`${what} before hello`, async () => {
      lab = await TcpLab.open();
      const one = await lab.startOne();
      const peer = lab.raw().write(bytes);
      await lab.until("it is closed", () => peer.isClosed);
      assert.equal(lab.counters.badFrames, 1);
      assert.match(one.faults[0]!.text, /does not speak Synod's peer protocol/);
      await lab.linked(2);
    });
  }

  const members: readonly [string, Uint8Array][] = [
    ["a length over 64 MiB", oversized],
    ["a wrong checksum", damaged],
    ["a frame out of place", encodeNumber(FRAME_KINDS.question, 1)],
    ["a malformed message", sealFrame(malformed)],
    ["a malformed sighting", encodeBare(FRAME_KINDS.sighting)],
  ];
  for (const [what, bytes] of members) {
    test(`${what} on a link`, async () => {
      lab = await TcpLab.open();
      const one = await lab.startOne();
      const peer = await lab.linked(2);
      peer.message(numbered(1)).write(bytes).message(numbered(2));
      await lab.until("it is closed", () => peer.isClosed);
      assert.equal(lab.counters.badFrames, 1);
      assert.equal(one.faults[0]!.peer, 2);
      assert.deepEqual(one.messages, ["2:1"]);
      await lab.linked(2);
      assert.equal(one.count("up 2"), 2);
    });
  }

  test("who says nothing is closed when the time for the handshake is over", async () => {
    lab = await TcpLab.open({ handshakeMs: 20 });
    await lab.startOne();
    const peer = lab.raw();
    await lab.until("it is closed", () => peer.isClosed);
  });

  test("strangers cannot hold more than a bounded number of connections", async () => {
    lab = await TcpLab.open();
    await lab.startOne();
    const many = Array.from({ length: 300 }, () => lab.raw());
    await lab.until("some are closed", () => many.filter(({ isClosed }) => isClosed).length >= 44);
    for (const peer of many) peer.socket.destroy();
    await lab.until("they are gone", () => many.every(({ isClosed }) => isClosed));
  });
});

describe("copies of a data directory", () => {
  test("a second run with the incarnation of the first is refused, the first keeps its link", async () => {
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const first = await lab.linked(2);
    const copy = lab.raw().hello(2, { run: 1234 });
    await lab.until("it is closed", () => copy.isClosed);
    assert.match(copy.refusal, /copies of one data directory/);
    first.message(numbered(1));
    await lab.until("the first goes on", () => one.messages.includes("2:1"));
  });

  test("replicas tell each other of the runs that they met", async () => {
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const two = await lab.linked(2);
    const three = await lab.linked(3);
    await lab.until("both are told", () => two.has("sighting") && three.has("sighting"));
    three.write(encodeSighting({ replica: 2, diskId: "2".padStart(32, "0"), incarnation: 1, run: 1234 }));
    await lab.until("the link to the one that runs twice is closed", () => two.isClosed);
    assert.match(two.refusal, /replica 2 runs twice/);
    assert.equal(one.faults[0]!.peer, 2);
    const again = lab.raw().hello(2);
    await lab.until("it stays out", () => again.isClosed);
    await lab.linked(2, { incarnation: 2, run: 5 });
  });
});

describe("a peer that does not read", () => {
  const large = { kind: "genesis", bytes: new Uint8Array(100_000) } as const;

  test("costs a bounded queue, and the others nothing", async () => {
    lab = await TcpLab.open({ queueBytes: 1_000_000 });
    const one = await lab.startOne();
    const slow = await lab.linked(2);
    const fast = await lab.linked(3);
    slow.socket.pause();
    const isFull = () => {
      one.network.send([2], large);
      return lab.counters.droppedMessages >= 10;
    };
    await lab.until("messages are dropped", isFull);
    const dropped = lab.counters.droppedMessages;
    one.network.send([2, 3], large);
    assert.equal(lab.counters.droppedMessages, dropped + 1);
    await lab.until("the other has it", () => fast.has("message"));
    slow.socket.resume();
    const before = slow.payloads.length;
    await lab.until("what was queued arrives", () => slow.payloads.length >= before + 10);
  });

  test("is closed when nothing could be written for the time of a stall", async () => {
    lab = await TcpLab.open({ stallMs: 50 });
    const one = await lab.startOne();
    const slow = await lab.linked(2);
    slow.socket.pause();
    await lab.until("it is told", () => {
      one.network.send([2], large);
      return one.faults.some(({ text }) => text.includes("has read nothing"));
    });
    await lab.until("it counts as down", () => one.count("down 2") === 2);
  });

  test("a link on which a peer answers no ping is closed, one on which it does is kept", async () => {
    lab = await TcpLab.open({ silenceMs: 100 });
    const one = await lab.startOne();
    const silent = await lab.linked(2);
    const alive = await lab.linked(3);
    alive.socket.on("data", () => alive.write(encodeBare(FRAME_KINDS.pong)));
    await lab.until("it is told", () => one.faults.some(({ text }) => text.includes("has sent nothing")));
    await lab.until("it is closed", () => silent.isClosed);
    assert.ok(silent.has("ping"));
    await lab.until("the other was asked", () => alive.has("ping"));
    assert.ok(one.isUp(3) && !alive.isClosed);
  });

  test("a message over the limit is dropped and told", async () => {
    lab = await TcpLab.open({ queueBytes: 2 * MAX_FRAME_BYTES });
    const one = await lab.startOne();
    await lab.linked(2);
    one.network.send([2], { kind: "genesis", bytes: new Uint8Array(MAX_FRAME_BYTES) });
    assert.equal(lab.counters.droppedMessages, 1);
    assert.match(one.faults[0]!.text, /cannot be sent/);
  });
});
