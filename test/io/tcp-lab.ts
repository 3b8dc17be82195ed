// Replicas on loopback for the tests of the network: every connection passes a relay, which can lose it, refuse
// it, or let it hang. Networks listen at a free port of the system; the relays' ports are the members' addresses.
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as after } from "node:timers/promises";
import { networkCounters, TcpNetwork, type TcpNetworkOptions } from "../../src/io/tcp-network.js";
import type { ReplicaId } from "../../src/paxos/ballot.js";
import { type NetworkLab, type NetworkRecorder, startRecorder } from "../../src/replica/network-contract.js";
import type { Network } from "../../src/replica/ports.js";
import type { Hello } from "../../src/wire/handshake.js";
import { RawPeer } from "./raw-peer.js";

const HOST = "127.0.0.1";

/** What `from` dials to reach `to`. */
class Relay {
  readonly server: Server;
  readonly sockets: Set<Socket>;
  /** Open connections: the dialler's socket, and the one to the target. */
  readonly pairs: Map<Socket, Socket>;
  isOpen: boolean;
  /** Bytes are neither read nor passed on. */
  hangs: boolean;
  readonly #delayMs: () => number;

  constructor(target: () => number | null, delayMs: () => number) {
    this.#delayMs = delayMs;
    this.sockets = new Set();
    this.pairs = new Map();
    this.isOpen = true;
    this.hangs = false;
    this.server = createServer((socket) => {
      const port = target();
      if (!this.isOpen || port === null) socket.destroy();
      else this.#join(socket, connect({ host: HOST, port, noDelay: true }));
    });
  }

  #join(left: Socket, right: Socket): void {
    this.pairs.set(left, right);
    for (const [socket, other] of [
      [left, right],
      [right, left],
    ] as const) {
      this.sockets.add(socket);
      socket.on("data", (chunk) => {
        const delay = this.#delayMs();
        const pass = () => {
          other.write(chunk);
          socket.resume();
        };
        socket.pause();
        if (delay > 0) setTimeout(pass, delay * Math.random());
        else if (!this.hangs) pass();
      });
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.sockets.delete(socket);
        this.pairs.delete(left);
        other.end();
      });
    }
  }

  /** Only one side learns that its connections are lost; what the other still sends leads nowhere. */
  loseAt(side: "dialler" | "target"): void {
    for (const [left, right] of this.pairs) {
      const [lost, kept] = side === "dialler" ? [left, right] : [right, left];
      lost.removeAllListeners("close");
      kept.removeAllListeners("data");
      kept.on("data", () => {});
      this.pairs.delete(left);
      reset(lost);
    }
  }

  lose(): void {
    for (const socket of this.sockets) reset(socket);
  }
}

/** Node.js cannot reset what is being ended: such a socket stays open, and the process cannot end (v20.20). */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

export class TcpLab implements NetworkLab {
  readonly counters = networkCounters();
  /** Every chunk on its way is held up to so long, at random, in order. */
  delayMs = 0;
  readonly #ids: readonly ReplicaId[];
  readonly #relays: Map<string, Relay>;
  readonly #ports: Map<ReplicaId, number>;
  readonly #current: Map<ReplicaId, TcpNetwork>;
  readonly #all: TcpNetwork[];
  readonly #options: Partial<TcpNetworkOptions>;
  readonly #raws: RawPeer[];

  private constructor(ids: readonly ReplicaId[], options: Partial<TcpNetworkOptions>) {
    this.#ids = ids;
    this.#options = options;
    this.#relays = new Map();
    this.#ports = new Map();
    this.#current = new Map();
    this.#all = [];
    this.#raws = [];
  }

  static async open(
    options: Partial<TcpNetworkOptions> = {},
    ids: readonly ReplicaId[] = [1, 2, 3],
  ): Promise<TcpLab> {
    const lab = new TcpLab(ids, options);
    for (const from of ids) {
      for (const to of ids) {
        if (from === to) continue;
        const relay = new Relay(
          () => lab.#ports.get(to) ?? null,
          () => lab.delayMs,
        );
        await new Promise<void>((resolve) => relay.server.listen(0, HOST, resolve));
        lab.#relays.set(`${from}>${to}`, relay);
      }
    }
    return lab;
  }

  /** What `from` dials to reach `to`. */
  relay(from: ReplicaId, to: ReplicaId): Relay {
    return this.#relays.get(`${from}>${to}`)!;
  }

  /** Connections of replicas that are open. */
  get connections(): number {
    let sockets = 0;
    for (const relay of this.#relays.values()) {
      for (const socket of relay.sockets) if (!socket.destroyed) sockets += 1;
    }
    return sockets / 2;
  }

  portOf(replica: ReplicaId): number {
    return this.#ports.get(replica)!;
  }

  network(replica: ReplicaId): Network {
    const members = new Map(
      this.#ids.map((id) => {
        const server = this.#relays.get(`${replica}>${id}`)?.server;
        return [id, { host: HOST, port: server === undefined ? 0 : (server.address() as AddressInfo).port }];
      }),
    );
    const listen = { host: HOST, port: 0 };
    const network = new TcpNetwork({
      reconnectMs: 10_000,
      ...this.#options,
      listen,
      members,
      counters: this.counters,
    });
    this.#all.push(network);
    return {
      start: async (identity, handlers) => {
        await network.start(identity, handlers);
        this.#current.set(replica, network);
        this.#ports.set(replica, network.address.port);
      },
      send: (to, message) => network.send(to, message),
      close: () => {
        this.#ports.delete(replica);
        return network.close();
      },
    };
  }

  kill(replica: ReplicaId): void {
    this.#ports.delete(replica);
    for (const other of this.#ids) if (other !== replica) this.breakLink(replica, other);
    void this.#current.get(replica)?.close();
  }

  breakLink(a: ReplicaId, b: ReplicaId): void {
    this.relay(a, b).lose();
    this.relay(b, a).lose();
  }

  /** Only `a` learns that its connections with `b` are lost. */
  halfOpen(a: ReplicaId, b: ReplicaId): void {
    this.relay(a, b).loseAt("dialler");
    this.relay(b, a).loseAt("target");
  }

  cut(a: ReplicaId, b: ReplicaId): void {
    this.relay(a, b).isOpen = false;
    this.relay(b, a).isOpen = false;
    this.breakLink(a, b);
  }

  heal(a: ReplicaId, b: ReplicaId): void {
    this.relay(a, b).isOpen = true;
    this.relay(b, a).isOpen = true;
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const end = performance.now() + 20_000;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`not within 20 s: ${what}`);
      await after(1);
    }
  }

  /** Replica 1, told that nobody is there: the test plays its peers. */
  async startOne(): Promise<NetworkRecorder> {
    const one = await startRecorder(this, 1);
    await this.until("nobody is there", () => one.links.length === this.#ids.length - 1);
    return one;
  }

  /** A connection to replica 1 played by hand. */
  raw(): RawPeer {
    const peer = new RawPeer(this.portOf(1));
    this.#raws.push(peer);
    return peer;
  }

  /** A peer played by hand that has a link to replica 1. */
  async linked(replica: ReplicaId, changed: Partial<Hello> = {}): Promise<RawPeer> {
    const peer = this.raw().hello(replica, changed);
    await this.until(`replica ${replica} is welcome`, () => peer.has("welcome"));
    return peer;
  }

  async close(): Promise<void> {
    for (const { socket } of this.#raws) socket.destroy();
    await Promise.all(this.#all.map((network) => network.close()));
    for (const { server, sockets } of this.#relays.values()) {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}
