// The Network port over TCP: a listener, one link to every other member (`peer.ts`), the handshake (design 2.2,
// 2.8), and what is told of links (F31). Bad bytes from a peer: counted, the link closed, and on it goes.
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { unreachable } from "../base/assert.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { Identity, Network, NetworkHandlers } from "../replica/ports.js";
import { Admission } from "../wire/admission.js";
import { FRAME_KINDS, MAX_FRAME_BYTES, sealFrame, startFrame } from "../wire/frame.js";
import {
  decodeHello,
  decodeRefusal,
  decodeSighting,
  encodeHello,
  encodeSighting,
  type Hello,
  PROTOCOL_VERSION,
} from "../wire/handshake.js";
import { decodeMessage, encodeMessage } from "../wire/message-codec.js";
import type { PeerMessage } from "../wire/peer-message.js";
import { FaultLog } from "./fault-log.js";
import { Link, type LinkEvents } from "./link.js";
import { ListenError } from "./listen-error.js";
import { Peer, type PeerHost } from "./peer.js";

/** Connections that have not said hello; one more than this is closed. */
const MAX_STRANGERS = 256;
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

/** Counted up by the network, shown by whoever owns it. */
export interface NetworkCounters {
  /** Frames with a wrong checksum, length, kind or content. */
  badFrames: number;
  /** Messages that did not fit the queue of a peer. */
  droppedMessages: number;
  /** Hellos refused here. */
  refusedHellos: number;
}

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
}

/** What there is between `start` and `close`. */
interface Running {
  readonly identity: Identity;
  readonly handlers: NetworkHandlers;
  readonly admission: Admission;
  readonly faults: FaultLog;
}

export class TcpNetwork implements Network {
  readonly #options: TcpNetworkOptions;
  readonly #server: Server;
  readonly #peers: Map<ReplicaId, Peer>;
  /** Every connection whose socket is not gone. */
  readonly #links: Set<Link>;
  readonly #events: LinkEvents;
  #strangers: number;
  #number: number;
  #run: Running | null;
  #stallTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | null;
  #onEmpty: () => void;

  constructor(options: TcpNetworkOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    this.#peers = new Map();
    this.#links = new Set();
    this.#events = {
      onPayload: (link, payload) => this.#onPayload(link, payload),
      onBadFrame: (link, fault) => this.#onBadFrame(link, `${fault} frame`),
      onClosed: (link, code) => this.#onClosed(link, code),
      onGone: (link) => this.#onGone(link),
    };
    this.#strangers = 0;
    this.#number = 0;
    this.#run = null;
    this.#stallTimer = undefined;
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
    await this.#listen();
    if (this.#closing !== null) return;
    const { members, stallMs = 10_000 } = this.#options;
    this.#run = {
      identity,
      handlers,
      admission: new Admission(identity, (replica) => members.has(replica)),
      faults: new FaultLog((fault) => handlers.onFault(fault)),
    };
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    this.#server.on("error", (error) =>
      this.#run?.faults.tell(0, `the peer port cannot accept: ${error.message}`),
    );
    this.#stallTimer = setInterval(() => this.#closeStuck(stallMs), Math.max(10, stallMs / 10));
    const host = this.#peerHost(this.#run);
    for (const id of members.keys()) if (id !== identity.replica) this.#peers.set(id, new Peer(id, host));
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

  #peerHost({ identity, handlers }: Running): PeerHost {
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
        if (taken) this.#shareSightings(peer, link);
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
    if (this.#closing !== null || this.#strangers >= MAX_STRANGERS) socket.destroy();
    else {
      this.#strangers += 1;
      this.#open(socket, 0);
    }
  }

  /** Both sides say hello at once. */
  #open(socket: Socket, dialled: ReplicaId): Link {
    const { queueBytes = 32 * 1024 * 1024, handshakeMs = 5000 } = this.#options;
    const link = new Link({ socket, dialled, queueBytes, handshakeMs, events: this.#events });
    this.#links.add(link);
    if (this.#run !== null) link.tell(encodeHello({ ...this.#run.identity, to: dialled }));
    return link;
  }

  #onGone(link: Link): void {
    this.#links.delete(link);
    if (link.dialled === 0 && link.hello === null) this.#strangers -= 1;
    if (this.#links.size === 0) this.#onEmpty();
  }

  #peerOf(link: Link): Peer | undefined {
    return this.#peers.get(link.hello?.replica ?? link.dialled);
  }

  #onClosed(link: Link, code: string): void {
    const { dialled, hello } = link;
    if (dialled !== 0 && hello === null && !PASSING_CODES.has(code)) {
      const { host, port } = this.#options.members.get(dialled)!;
      const text = `replica ${dialled} cannot be reached at ${host}:${port} (${code}): is it running, and is this its peer address?`;
      this.#run?.faults.tell(dialled, text);
    }
    this.#peerOf(link)?.onClosed(link);
  }

  #onBadFrame(link: Link, what: string): void {
    this.#options.counters.badFrames += 1;
    const id = link.hello?.replica ?? link.dialled;
    const text =
      link.hello === null
        ? `what is at ${link.address} does not speak Synod's peer protocol (${what}): use peer addresses between replicas, client addresses for clients`
        : `replica ${id} (${link.address}) sent a ${what}: the connection is closed; if it repeats, check the network and the versions of both`;
    this.#run?.faults.tell(id, text);
    link.fail("EBADFRAME");
  }

  #onPayload(link: Link, payload: Uint8Array): void {
    const run = this.#run;
    if (run === null) return;
    const kind = payload[0];
    const peer = this.#peerOf(link);
    if (kind === FRAME_KINDS.refusal && peer !== undefined) {
      run.faults.tell(link.hello?.replica ?? link.dialled, decodeRefusal(payload));
      link.drop();
      peer.onRefusal(link);
    } else if (link.hello === null) this.#onHello(run, link, payload);
    else if (peer === undefined) link.drop();
    else if (peer.link !== link) {
      if (kind === FRAME_KINDS.goodbye) link.fail("");
      else if (!peer.onHandshakeFrame(link, payload)) this.#onBadFrame(link, "frame out of place");
    } else if (kind === FRAME_KINDS.message) this.#onMessage(run, link, peer.id, payload);
    else if (kind === FRAME_KINDS.sighting) this.#onSighting(run, link, payload);
    else if (kind === FRAME_KINDS.goodbye) {
      link.drop();
      peer.onGoodbye(link);
    } else if (kind !== FRAME_KINDS.take) this.#onBadFrame(link, "frame out of place");
    // A `take` comes late when the link that it was about has closed first: the answer was not waited for.
  }

  #onMessage({ handlers }: Running, link: Link, from: ReplicaId, payload: Uint8Array): void {
    const message = decodeMessage(payload.subarray(1));
    if (message === null) this.#onBadFrame(link, "malformed message");
    else handlers.onMessage(from, message);
  }

  #onHello(run: Running, link: Link, payload: Uint8Array): void {
    const result = decodeHello(payload);
    switch (result.kind) {
      case "stranger":
        this.#onBadFrame(link, "frame that is no hello");
        break;
      case "otherVersion":
        this.#refuse(
          run,
          link,
          link.dialled,
          otherVersionText(run.identity.replica, link.address, result.version),
        );
        break;
      case "hello":
        this.#admit(run, link, result.hello);
        break;
      default:
        unreachable(result);
    }
  }

  #admit(run: Running, link: Link, hello: Hello): void {
    const refusal = run.admission.refusal(hello, link.dialled, link.address);
    if (refusal !== null) {
      this.#refuse(run, link, link.dialled === 0 ? hello.replica : link.dialled, refusal);
      return;
    }
    run.admission.admit(hello);
    if (link.dialled === 0) this.#strangers -= 1;
    link.hello = hello;
    this.#peerOf(link)?.onHello(link);
  }

  #refuse(run: Running, link: Link, peer: ReplicaId, text: string): void {
    this.#options.counters.refusedHellos += 1;
    run.faults.tell(peer, text);
    link.refuse(text);
    if (link.dialled !== 0) this.#peers.get(link.dialled)?.onRefusal(link);
  }

  /** Tells a new link of all runs met, and all other links of the run that it brought. */
  #shareSightings(peer: Identity, link: Link): void {
    for (const sighting of this.#run?.admission.sightings() ?? []) {
      if (sighting.replica !== peer.replica) link.tell(encodeSighting(sighting));
    }
    const sighting = encodeSighting(peer);
    for (const other of this.#peers.values()) if (other.id !== peer.replica) other.link?.tell(sighting);
  }

  #onSighting(run: Running, link: Link, payload: Uint8Array): void {
    const sighting = decodeSighting(payload);
    if (sighting === null) {
      this.#onBadFrame(link, "malformed sighting");
      return;
    }
    const text = run.admission.told(sighting);
    if (text === null) return;
    run.faults.tell(sighting.replica, text);
    const linked = this.#peers.get(sighting.replica);
    if (linked?.link?.hello?.diskId === sighting.diskId) linked.refuse(text);
  }

  send(to: readonly ReplicaId[], message: PeerMessage): void {
    let frame: Uint8Array | null = null;
    for (const id of to) {
      const link = this.#peers.get(id)?.link ?? null;
      if (link === null) continue;
      frame ??= encodeFrame(message);
      const sent = frame.length <= MAX_FRAME_BYTES && link.send(frame);
      if (!sent) this.#options.counters.droppedMessages += 1;
    }
  }

  #closeStuck(stallMs: number): void {
    const now = performance.now();
    for (const { id, link } of this.#peers.values()) {
      if (link?.isStuck(now, stallMs) !== true) continue;
      this.#run?.faults.tell(
        id,
        `replica ${id} (${link.address}) has read nothing for ${stallMs} ms: the connection is closed`,
      );
      link.fail("ETIMEDOUT");
    }
  }

  /** Says goodbye, and resolves when no socket, timer or listener is left. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#stallTimer);
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

function otherVersionText(self: ReplicaId, address: string, version: number): string {
  return `replica ${self} refuses the one at ${address}: it speaks version ${version} of the peer protocol, not ${PROTOCOL_VERSION}: run releases on both that share a version`;
}
