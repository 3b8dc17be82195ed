// One link per pair, whoever dials when and whatever is lost; what is told of outages; start and close.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { TcpLab } from "../../test/io/tcp-lab.js";
import { numbered, startRecorder } from "../replica/network-contract.js";
import { FRAME_KINDS } from "../wire/frame.js";
import { decodeNumber, encodeBare } from "../wire/handshake.js";
import { networkCounters, TcpNetwork } from "./tcp-network.js";

let lab: TcpLab;

afterEach(() => lab.close());

describe("one link per pair", () => {
  test("a second connection of the same run is taken only when the peer says that the first is dead", async () => {
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const first = await lab.linked(2);
    const second = lab.raw().hello(2);
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
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const first = await lab.linked(2);
    const second = lab.raw().hello(2);
    await lab.until("it is asked about", () => second.has("question"));
    first.socket.resetAndDestroy();
    await lab.until("the second is the link", () => second.has("welcome"));
    second.write(encodeBare(FRAME_KINDS.take)).message(numbered(1));
    await lab.until("an answer that comes late does no harm", () => one.messages.includes("2:1"));
    assert.equal(one.count("down 2"), 1, "only at the start");
  });

  test("a newer run replaces a half-open link at once", async () => {
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const first = await lab.linked(2);
    first.socket.pause();
    const second = await lab.linked(2, { incarnation: 2, run: 20 });
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

describe("outages", () => {
  test("goodbye is said at close, after what was sent", async () => {
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const peer = await lab.linked(2);
    one.network.send([2], numbered(1));
    await one.network.close();
    await lab.until("it is closed", () => peer.isClosed);
    const kinds = peer.payloads.map(([kind]) => kind);
    assert.deepEqual(kinds.slice(-2), [FRAME_KINDS.message, FRAME_KINDS.goodbye]);
  });

  test("goodbye counts as down without a reconnect", async () => {
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const peer = await lab.linked(2);
    peer.write(encodeBare(FRAME_KINDS.goodbye));
    await lab.until("it counts as down", () => one.count("down 2") === 2);
  });

  test("F31: a refused reconnect counts as down, whatever time it was given", async () => {
    lab = await TcpLab.open();
    const one = await lab.startOne();
    const peer = await lab.linked(2);
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
