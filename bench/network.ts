// Messages a second from one process to another over loopback: accepts of 300 bytes, so many in a turn.
// `node dist/bench/network.js`
import { fork } from "node:child_process";
import { setTimeout as after, setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { networkCounters, TcpNetwork } from "../src/io/tcp-network.js";
import type { PeerMessage } from "../src/wire/peer-message.js";

const SECONDS = 3;
const listen = { host: "127.0.0.1", port: 0 };
const counters = networkCounters();

interface Count {
  readonly received: number;
  readonly cpuMs: number;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function open(replica: number, peer: number, port: number, onMessage: () => void): Promise<TcpNetwork> {
  const members = new Map([[peer, { host: listen.host, port }]]);
  const network = new TcpNetwork({ listen, members, counters });
  const identity = {
    clusterId: "0".repeat(16),
    replica,
    diskId: "0".repeat(32),
    incarnation: 1,
    run: replica,
  };
  const onFault = ({ text }: { text: string }) => console.error(text);
  await network.start(identity, { onLinkUp: () => true, onLinkDown: () => {}, onMessage, onFault });
  return network;
}

async function receive(port: number): Promise<void> {
  let received = 0;
  await open(2, 1, port, () => {
    received += 1;
  });
  process.on("message", () => process.send!({ received, cpuMs: cpuMs() } satisfies Count));
}

async function send(): Promise<void> {
  const network = await open(1, 2, 1, () => {});
  const child = fork(fileURLToPath(import.meta.url), [String(network.address.port)]);
  const count = (): Promise<Count> =>
    new Promise((resolve) => {
      child.once("message", (message) => resolve(message as Count));
      child.send("count");
    });
  await after(500);
  for (const perTurn of [1, 10, 100]) console.log(JSON.stringify(await measure(network, perTurn, count)));
  child.kill();
  await network.close();
}

async function measure(network: TcpNetwork, perTurn: number, count: () => Promise<Count>): Promise<object> {
  const values = [new Uint8Array(270).fill(1)];
  const before = await count();
  const cpuBefore = cpuMs();
  const start = performance.now();
  for (let slot = 1; performance.now() - start < SECONDS * 1000; ) {
    for (let i = 0; i < perTurn; i += 1, slot += 1) {
      const message: PeerMessage = {
        kind: "accept",
        ballot: 65537,
        firstSlot: slot,
        values,
        chosenUpTo: slot - 1,
      };
      network.send([2], message);
    }
    const dropped = counters.droppedMessages;
    await turn();
    if (dropped > 0) await after(20);
    counters.droppedMessages = 0;
  }
  const { received, cpuMs: receiverCpu } = await count();
  const arrived = received - before.received;
  const microseconds = (ms: number) => Number(((ms * 1000) / arrived).toFixed(2));
  return {
    perTurn,
    messagesPerSecond: Math.round(arrived / SECONDS),
    senderCpuMicrosPerMessage: microseconds(cpuMs() - cpuBefore),
    receiverCpuMicrosPerMessage: microseconds(receiverCpu - before.cpuMs),
  };
}

const port = process.argv[2];
await (port === undefined ? send() : receive(Number(port)));
