// The Network port over TCP: a listener, one link to every other member (`peer.ts` keeps it and tells of it,
// F31), and what comes in over them (`reception.ts`: the handshake of design 2.2 and 2.8).
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { ReplicaId } from "../paxos/ballot.js";
import type { Identity, Network, NetworkHandlers } from "../replica/ports.js";
import { FRAME_KINDS, MAX_FRAME_BYTES, sealFrame, startFrame } from "../wire/frame.js";
import { encodeBare, encodeHello } from "../wire/handshake.js";
import { encodeMessage } from "../wire/message-codec.js";
import type { PeerMessage } from "../wire/peer-message.js";
import { Link, type LinkEvents } from "./link.js";
import { ListenError } from "./listen-error.js";
import { Peer, type PeerHost } from "./peer.js";
import { type NetworkCounters, Reception } from "./reception.js";

/** Connections that have not said hello; one more than this is closed. */
const MAX_STRANGERS = 256;
/** Of the time of `silenceMs`: a link is looked after so often, and pinged after so many looks without a byte. */
const LOOKS = 10;
const LOOKS_BEFORE_PING = 2;
const KEEP_ALIVE_MS = 10_000;
/** Failures to dial that say "not now"; any other one says that the address is wrong. */
const PASSING_CODES = new Set([
  "",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EBADFRAME",
]);

export interface Address {
  readonly host: string;
  readonly port: number;
}

export type { NetworkCounters } from "./reception.js";

export function networkCounters(): NetworkCounters {
  return { badFrames: 0, droppedMessages: 0, refusedHellos: 0 };
}

export interface TcpNetworkOptions {
  readonly listen: Address;
  /** Peer addresses of all members; this replica's own entry is not dialled. */
  readonly members: ReadonlyMap<ReplicaId, Address>;
  readonly counters: NetworkCounters;
  /** Bound of the queue of each peer; 32 MiB by default. */
  readonly queueBytes?: number;
  /** How long a reconnect may take before `onLinkDown`; 30 ms by default (F31). */
  readonly reconnectMs?: number;
  /** 5 s by default. */
  readonly handshakeMs?: number;
  /** A link on which nothing could be written for so long is closed; 10 s by default. */
  readonly stallMs?: number;
  /** So is one over which no byte came for so long, pings being unanswered; 5 s by default. */
  readonly silenceMs?: number;
}

export class TcpNetwork implements Network {
  readonly #options: TcpNetworkOptions & { readonly stallMs: number; readonly silenceMs: number };
  readonly #server: Server;
  readonly #peers: Map<ReplicaId, Peer>;
  /** Every connection whose socket is not gone. */
  readonly #links: Set<Link>;
  readonly #events: LinkEvents;
  #number: number;
  /** From `start` on. */
  #identity: Identity | null;
  #reception: Reception | null;
  #lookTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | null;
  #onEmpty: () => void;

  constructor(options: TcpNetworkOptions) {
    this.#options = { stallMs: 10_000, silenceMs: 5000, ...options };
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    this.#peers = new Map();
    this.#links = new Set();
    this.#events = {
      onPayload: (link, payload) => this.#reception?.onPayload(link, payload),
      onBadFrame: (link, fault) => this.#reception?.onBadFrame(link, `${fault} frame`),
      onClosed: (link, code) => this.#onClosed(link, code),
      onGone: (link) => this.#onGone(link),
    };
    this.#number = 0;
    this.#identity = null;
    this.#reception = null;
    this.#lookTimer = undefined;
    this.#closing = null;
    this.#onEmpty = () => {};
  }

  /** Where it listens: tells the port when 0 was asked for. Only after `start`. */
  get address(): Address {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Once. Rejects with a ListenError. */
  async start(identity: Identity, handlers: NetworkHandlers): Promise<void> {
    if (this.#closing === null) await this.#listen();
    if (this.#closing !== null) {
      this.#server.close();
      return;
    }
    const { members, counters, silenceMs } = this.#options;
    const reception = new Reception(identity, handlers, this.#peers, counters);
    this.#identity = identity;
    this.#reception = reception;
    const host = this.#peerHost(identity, handlers, reception);
    for (const id of members.keys()) if (id !== identity.replica) this.#peers.set(id, new Peer(id, host));
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    this.#server.on("error", (error) =>
      reception.faults.tell(0, `the peer port cannot accept: ${error.message}`),
    );
    this.#lookTimer = setInterval(() => this.#look(reception), silenceMs / LOOKS);
    for (const peer of this.#peers.values()) peer.dial();
  }

  #listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(new ListenError("replicas", host, port, error));
      this.#server.once("error", fail);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", fail);
        resolve();
      });
    });
  }

  #peerHost(identity: Identity, handlers: NetworkHandlers, reception: Reception): PeerHost {
    return {
      self: identity.replica,
      reconnectMs: this.#options.reconnectMs ?? 30,
      dial: (peer) => this.#dial(peer),
      nextNumber: () => {
        this.#number += 1;
        return this.#number;
      },
      onLinkUp: (peer, link) => {
        const taken = handlers.onLinkUp(peer);
        if (taken) reception.shareSightings(peer, link);
        return taken;
      },
      onLinkDown: (peer) => handlers.onLinkDown(peer),
    };
  }

  #dial(peer: ReplicaId): Link {
    const { host, port } = this.#options.members.get(peer)!;
    const socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    return this.#open(socket, peer);
  }

  #onConnection(socket: Socket): void {
    let strangers = 0;
    for (const link of this.#links) if (link.hello === null) strangers += 1;
    if (this.#closing !== null || strangers >= MAX_STRANGERS) socket.destroy();
    else this.#open(socket, 0);
  }

  /** Both sides say hello at once. */
  #open(socket: Socket, dialled: ReplicaId): Link {
    const { queueBytes = 32 * 1024 * 1024, handshakeMs = 5000 } = this.#options;
    const link = new Link({ socket, dialled, queueBytes, handshakeMs, events: this.#events });
    this.#links.add(link);
    if (this.#identity !== null) link.tell(encodeHello({ ...this.#identity, to: dialled }));
    return link;
  }

  #onGone(link: Link): void {
    this.#links.delete(link);
    if (this.#links.size === 0) this.#onEmpty();
  }

  #onClosed(link: Link, code: string): void {
    const { dialled, hello } = link;
    if (dialled !== 0 && hello === null && !PASSING_CODES.has(code)) {
      const { host, port } = this.#options.members.get(dialled)!;
      const text = `replica ${dialled} cannot be reached at ${host}:${port} (${code}): is it running, and is this its peer address?`;
      this.#reception?.faults.tell(dialled, text);
    }
    this.#reception?.peerOf(link)?.onClosed(link);
  }

  send(to: readonly ReplicaId[], message: PeerMessage): void {
    let frame: Uint8Array | null = null;
    for (const id of to) {
      const link = this.#peers.get(id)?.link ?? null;
      if (link === null) continue;
      frame ??= encodeFrame(message);
      if (frame.length > MAX_FRAME_BYTES) this.#tellTooLong(id, message, frame);
      else if (link.send(frame)) continue;
      this.#options.counters.droppedMessages += 1;
    }
  }

  #tellTooLong(peer: ReplicaId, { kind }: PeerMessage, { length }: Uint8Array): void {
    const text = `a message (${kind}) of ${length} bytes cannot be sent: the limit is ${MAX_FRAME_BYTES}; use smaller commands`;
    this.#reception?.faults.tell(peer, text);
  }

  /** Closes links that are dead though nobody said so, and pings those that have been silent for a while. */
  #look({ faults }: Reception): void {
    const { stallMs, silenceMs } = this.#options;
    const now = performance.now();
    for (const { id, link } of this.#peers.values()) {
      if (link === null) continue;
      const silence = link.countSilence();
      if (link.isStuck(now, stallMs) || silence >= LOOKS) {
        const what = silence < LOOKS ? `read nothing for ${stallMs}` : `sent nothing for ${silenceMs}`;
        faults.tell(
          id,
          `replica ${id} (${link.address}) has ${what} ms: the connection is closed and made anew`,
        );
        link.fail("ETIMEDOUT");
      } else if (silence >= LOOKS_BEFORE_PING) link.tell(encodeBare(FRAME_KINDS.ping));
    }
  }

  /** Says goodbye, and resolves when no socket, timer or listener is left. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#lookTimer);
    for (const peer of this.#peers.values()) peer.stop();
    for (const link of this.#links) link.drop();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await closed;
    if (this.#links.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }
}

function encodeFrame(message: PeerMessage): Uint8Array {
  const writer = startFrame(FRAME_KINDS.message);
  encodeMessage(message, writer);
  return sealFrame(writer);
}
