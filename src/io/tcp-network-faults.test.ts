// What a TcpNetwork does with strangers, damage, copies, half-open connections and readers that do not read.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { RawPeer } from "../../test/io/raw-peer.js";
import { TcpLab } from "../../test/io/tcp-lab.js";
import { type NetworkRecorder, numbered, startRecorder } from "../replica/network-contract.js";
import { FRAME_KINDS, MAX_FRAME_BYTES, sealFrame, startFrame } from "../wire/frame.js";
import { decodeNumber, encodeBare, encodeNumber, encodeSighting } from "../wire/handshake.js";
import { networkCounters, TcpNetwork, type TcpNetworkOptions } from "./tcp-network.js";

let lab: TcpLab;
let raws: RawPeer[];

beforeEach(() => {
  raws = [];
});

afterEach(async () => {
  for (const { socket } of raws) socket.destroy();
  await lab.close();
});

/** Replica 1, whose peers 2 and 3 are not there: the test plays them. */
async function startOne(options: Partial<TcpNetworkOptions> = {}): Promise<NetworkRecorder> {
  lab = await TcpLab.open(options);
  const one = await startRecorder(lab, 1);
  await lab.until("nobody is there", () => one.links.length === 2);
  return one;
}

function raw(): RawPeer {
  const peer = new RawPeer(lab.portOf(1));
  raws.push(peer);
  return peer;
}

/** A peer played by hand that has a link to replica 1. */
async function linked(replica: number, changed = {}): Promise<RawPeer> {
  const peer = raw().hello(replica, changed);
  await lab.until(`replica ${replica} is welcome`, () => peer.has("welcome"));
  return peer;
}

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
      const one = await startOne();
      const peer = act(raw());
      await lab.until("it is closed", () => peer.isClosed);
      assert.match(peer.refusal, expected);
      assert.equal(one.faults.length, 1);
      assert.equal(one.faults[0]!.text, peer.refusal);
      assert.equal(one.count("up 2"), 0);
      await linked(2);
    });
  }

  test("a refusal that comes from a peer is told", async () => {
    const one = await startOne();
    const peer = await linked(2);
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
      const one = await startOne();
      const peer = raw().write(bytes);
      await lab.until("it is closed", () => peer.isClosed);
      assert.equal(lab.counters.badFrames, 1);
      assert.match(one.faults[0]!.text, /does not speak Synod's peer protocol/);
      await linked(2);
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
      const one = await startOne();
      const peer = await linked(2);
      peer.message(numbered(1)).write(bytes).message(numbered(2));
      await lab.until("it is closed", () => peer.isClosed);
      assert.equal(lab.counters.badFrames, 1);
      assert.equal(one.faults[0]!.peer, 2);
      assert.deepEqual(one.messages, ["2:1"]);
      await linked(2);
      assert.equal(one.count("up 2"), 2);
    });
  }

  test("who says nothing is closed when the time for the handshake is over", async () => {
    await startOne({ handshakeMs: 20 });
    const peer = raw();
    await lab.until("it is closed", () => peer.isClosed);
  });

  test("strangers cannot hold more than a bounded number of connections", async () => {
    await startOne();
    const many = Array.from({ length: 300 }, raw);
    await lab.until("some are closed", () => many.filter(({ isClosed }) => isClosed).length >= 44);
    for (const peer of many) peer.socket.destroy();
    await lab.until("they are gone", () => many.every(({ isClosed }) => isClosed));
  });
});

describe("one link per pair", () => {
  test("a second connection of the same run is taken only when the peer says that the first is dead", async () => {
    const one = await startOne();
    const first = await linked(2);
    const second = raw().hello(2);
    await lab.until("it is asked about", () => second.has("question"));
    assert.equal(decodeNumber(second.payload("question")!), decodeNumber(first.payload("welcome")!));
    one.network.send([2], numbered(1));
    await lab.until("the first is still the link", () => first.has("message"));

    second.write(encodeBare(FRAME_KINDS.take)).message(numbered(2));
    first.message(numbered(3));
    await lab.until("the second is the link", () => second.has("welcome") && first.isClosed);
    first.message(numbered(4));
    second.message(numbered(5));
    await lab.until("it carries messages", () => one.messages.includes("2:5"));
    assert.ok(!one.messages.includes("2:4"), "nothing of a replaced connection is looked at");
    assert.equal(one.count("up 2"), 2);
    assert.equal(one.count("down 2"), 1, "only at the start");
  });

  test("a second connection that is waiting becomes the link when the first closes", async () => {
    const one = await startOne();
    const first = await linked(2);
    const second = raw().hello(2);
    await lab.until("it is asked about", () => second.has("question"));
    first.socket.resetAndDestroy();
    await lab.until("the second is the link", () => second.has("welcome"));
    second.write(encodeBare(FRAME_KINDS.take)).message(numbered(1));
    await lab.until("an answer that comes late does no harm", () => one.messages.includes("2:1"));
    assert.equal(one.count("down 2"), 1, "only at the start");
  });

  test("a newer run replaces a half-open link at once", async () => {
    const one = await startOne();
    const first = await linked(2);
    first.socket.pause();
    const second = await linked(2, { incarnation: 2, run: 20 });
    second.message(numbered(1));
    await lab.until("it is the link", () => one.messages.includes("2:1"));
    assert.equal(one.count("up 2"), 2);
  });

  for (const [a, b] of [
    [1, 2],
    [2, 1],
  ] as const) {
    test(`a link that only replica ${a} knows to be lost does not block it: it is linked with ${b} anew`, async () => {
      lab = await TcpLab.open({}, [1, 2]);
      const replicas = [await startRecorder(lab, 1), await startRecorder(lab, 2)] as const;
      const [one, two] = replicas;
      await lab.until("they link", () => one.isUp(2) && two.isUp(1));
      const down = [one.count("down 2"), two.count("down 1")];
      lab.halfOpen(a, b);
      await lab.until("they link anew", () => one.count("up 2") === 2 && two.count("up 1") === 2);
      one.network.send([2], numbered(1));
      two.network.send([1], numbered(2));
      await lab.until("messages flow", () => one.messages.length === 1 && two.messages.length === 1);
      assert.deepEqual([one.count("down 2"), two.count("down 1")], down, "no outage is told");
    });
  }

  test("after losses at random, of one side or both, every pair ends with one link", async () => {
    lab = await TcpLab.open({ reconnectMs: 30, silenceMs: 300 });
    lab.delayMs = 2;
    const replicas = [
      await startRecorder(lab, 1),
      await startRecorder(lab, 2),
      await startRecorder(lab, 3),
    ] as const;
    const allUp = () =>
      replicas.every((replica, at) => [1, 2, 3].every((peer) => peer === at + 1 || replica.isUp(peer)));
    const pairs = [1, 2, 3].flatMap((a) => [1, 2, 3].filter((b) => b !== a).map((b) => [a, b] as const));
    for (let round = 0; round < 40; round += 1) {
      const [a, b] = pairs[Math.floor(Math.random() * pairs.length)]!;
      if (Math.random() < 0.5) lab.halfOpen(a, b);
      else lab.breakLink(a, b);
      await after(Math.random() * 8);
    }
    await lab.until("all are up", () => allUp() && lab.connections === 3);
    for (const recorder of replicas) recorder.messages.length = 0;
    // A link may still be replaced by the last of the reconnects, and what it carries is lost: hence again and again.
    await lab.until("every pair carries messages", () => {
      for (const [at, { network }] of replicas.entries()) network.send([1, 2, 3], numbered(at));
      return replicas.every(({ messages }) => new Set(messages).size === 2);
    });
    assert.equal(lab.connections, 3);
  });

  test("100 simultaneous dials over slow lines end in one link each time", async () => {
    for (let round = 0; round < 100; round += 1) {
      lab = await TcpLab.open({}, [1, 2]);
      lab.delayMs = 2;
      const one = await startRecorder(lab, 1);
      const two = await startRecorder(lab, 2);
      await lab.until("they link", () => one.isUp(2) && two.isUp(1));
      const [told, heard] = [one.count("down 2"), two.count("down 1")];
      lab.breakLink(1, 2);
      await lab.until("they link anew", () => one.count("up 2") >= 2 && two.count("up 1") >= 2);
      await lab.until("one connection is left", () => lab.connections === 1);
      await lab.until("it carries messages", () => {
        one.network.send([2], numbered(1));
        two.network.send([1], numbered(2));
        return one.messages.length > 0 && two.messages.length > 0;
      });
      assert.equal(lab.connections, 1);
      assert.ok(one.count("up 2") <= 3 && two.count("up 1") <= 3, "the link does not flap");
      assert.deepEqual([one.count("down 2"), two.count("down 1")], [told, heard], "no outage is told");
      await lab.close();
    }
  });
});

describe("copies of a data directory", () => {
  test("a second run with the incarnation of the first is refused, the first keeps its link", async () => {
    const one = await startOne();
    const first = await linked(2);
    const copy = raw().hello(2, { run: 1234 });
    await lab.until("it is closed", () => copy.isClosed);
    assert.match(copy.refusal, /copies of one data directory/);
    first.message(numbered(1));
    await lab.until("the first goes on", () => one.messages.includes("2:1"));
  });

  test("replicas tell each other of the runs that they met", async () => {
    const one = await startOne();
    const two = await linked(2);
    const three = await linked(3);
    await lab.until("both are told", () => two.has("sighting") && three.has("sighting"));
    three.write(encodeSighting({ replica: 2, diskId: "2".padStart(32, "0"), incarnation: 1, run: 1234 }));
    await lab.until("the link to the one that runs twice is closed", () => two.isClosed);
    assert.match(two.refusal, /replica 2 runs twice/);
    assert.equal(one.faults[0]!.peer, 2);
    const again = raw().hello(2);
    await lab.until("it stays out", () => again.isClosed);
    await linked(2, { incarnation: 2, run: 5 });
  });
});

describe("a peer that does not read", () => {
  const large = { kind: "genesis", bytes: new Uint8Array(100_000) } as const;

  test("costs a bounded queue, and the others nothing", async () => {
    const one = await startOne({ queueBytes: 1_000_000 });
    const slow = await linked(2);
    const fast = await linked(3);
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
    const one = await startOne({ stallMs: 50 });
    const slow = await linked(2);
    slow.socket.pause();
    await lab.until("it is told", () => {
      one.network.send([2], large);
      return one.faults.some(({ text }) => text.includes("has read nothing"));
    });
    await lab.until("it counts as down", () => one.count("down 2") === 2);
  });

  test("a link on which a peer answers no ping is closed, one on which it does is kept", async () => {
    const one = await startOne({ silenceMs: 100 });
    const silent = await linked(2);
    const alive = await linked(3);
    alive.socket.on("data", () => alive.write(encodeBare(FRAME_KINDS.pong)));
    await lab.until("it is told", () => one.faults.some(({ text }) => text.includes("has sent nothing")));
    await lab.until("it is closed", () => silent.isClosed);
    assert.ok(silent.has("ping"));
    await lab.until("the other was asked", () => alive.has("ping"));
    assert.ok(one.isUp(3) && !alive.isClosed);
  });

  test("a message over the limit is dropped and told", async () => {
    const one = await startOne({ queueBytes: 2 * MAX_FRAME_BYTES });
    await linked(2);
    one.network.send([2], { kind: "genesis", bytes: new Uint8Array(MAX_FRAME_BYTES) });
    assert.equal(lab.counters.droppedMessages, 1);
    assert.match(one.faults[0]!.text, /cannot be sent/);
  });
});

describe("outages", () => {
  test("goodbye is said at close, after what was sent", async () => {
    const one = await startOne();
    const peer = await linked(2);
    one.network.send([2], numbered(1));
    await one.network.close();
    await lab.until("it is closed", () => peer.isClosed);
    const kinds = peer.payloads.map(([kind]) => kind);
    assert.deepEqual(kinds.slice(-2), [FRAME_KINDS.message, FRAME_KINDS.goodbye]);
  });

  test("goodbye counts as down without a reconnect", async () => {
    const one = await startOne();
    const peer = await linked(2);
    peer.write(encodeBare(FRAME_KINDS.goodbye));
    await lab.until("it counts as down", () => one.count("down 2") === 2);
  });

  test("F31: a refused reconnect counts as down, whatever time it was given", async () => {
    const one = await startOne();
    const peer = await linked(2);
    peer.socket.resetAndDestroy();
    await lab.until("it counts as down", () => one.count("down 2") === 2);
  });

  test("F31: a reconnect that hangs counts as down when its time is over", async () => {
    lab = await TcpLab.open({ reconnectMs: 30 }, [1, 2]);
    const one = await startRecorder(lab, 1);
    const two = await startRecorder(lab, 2);
    await lab.until("they link", () => one.isUp(2) && two.isUp(1));
    const told = one.count("down 2");
    lab.relay(1, 2).hangs = true;
    lab.relay(2, 1).hangs = true;
    lab.breakLink(1, 2);
    await lab.until("it counts as down", () => one.count("down 2") === told + 1);
    lab.relay(1, 2).hangs = false;
    lab.relay(2, 1).hangs = false;
    lab.breakLink(1, 2);
    await lab.until("it is back", () => one.isUp(2) && two.isUp(1));
  });
});

describe("start and close", () => {
  const members = new Map([[1, { host: "127.0.0.1", port: 1 }]]);
  const start = (host: string, port: number) =>
    startRecorder(
      { network: () => new TcpNetwork({ listen: { host, port }, members, counters: networkCounters() }) },
      1,
    );

  beforeEach(async () => {
    lab = await TcpLab.open();
  });

  test("an address in use is named, with the way out", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await assert.rejects(start("127.0.0.1", port), {
      name: "ListenError",
      code: "EADDRINUSE",
      message: new RegExp(`127.0.0.1:${port} \\(EADDRINUSE\\): another process`),
    });
    await new Promise((resolve) => other.close(resolve));
  });

  test("an address of another machine is named, with the way out", async () => {
    await assert.rejects(start("192.0.2.1", 0), {
      code: "EADDRNOTAVAIL",
      message: /192\.0\.2\.1:0 .*no address of/,
    });
  });

  test("nothing is left after close: the process ends", async () => {
    const network = fileURLToPath(new URL("./tcp-network.js", import.meta.url));
    const script = `
      const { TcpNetwork, networkCounters } = await import(${JSON.stringify(network)});
      const address = { host: "127.0.0.1", port: 0 };
      const members = new Map([[1, address], [2, { host: "127.0.0.1", port: 1 }]]);
      const handlers = { onLinkUp: () => true, onLinkDown: () => {}, onMessage() {}, onFault() {} };
      const network = new TcpNetwork({ listen: address, members, counters: networkCounters() });
      const identity = { clusterId: "0".repeat(16), replica: 1, diskId: "0".repeat(32), incarnation: 1, run: 1 };
      await new Promise((resolve) => {
        handlers.onLinkDown = resolve;
        void network.start(identity, handlers);
      });
      await network.close();
      console.log("closed");`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    assert.equal(stdout, "closed\n");
  });
});
