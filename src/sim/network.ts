// The Network port over virtual wires. Each direction of each pair has its own delay, loss, doubling and block, which
// faults change; a link between two processes is made, breaks and is made again as over TCP.
import { assert } from "../base/assert.js";
import { ByteWriter } from "../base/bytes.js";
import type { Random } from "../base/random.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { Identity, Network, NetworkHandlers } from "../replica/ports.js";
import { Admission } from "../wire/admission.js";
import { decodeMessage, encodeMessage } from "../wire/message-codec.js";
import type { PeerMessage } from "../wire/peer-message.js";
import type { EventQueue, Task } from "./event-queue.js";
import type { ProcessLife } from "./process-life.js";

/** How one direction of a wire treats messages. */
export interface Wire {
  /** Least delay, in milliseconds. */
  delay: number;
  /** What chance adds to it at most; above 0 messages overtake each other. */
  jitter: number;
  loss: number;
  doubling: number;
  /** Chance that a message of the past, at most so many back, is delivered again along with one. */
  replay: number;
  blocked: boolean;
  /** A process that starts, at the from end, has its first attempt to connect done after so long at most. */
  dial: number;
  /** A kind of message that does not get through; "": none. */
  dropKind: string;
}

export const GOOD_WIRE: Wire = {
  delay: 0.2,
  jitter: 0.3,
  loss: 0,
  doubling: 0,
  replay: 0,
  blocked: false,
  dial: 3,
  dropKind: "",
};

/** How long a silent link is taken for alive, at least and at most, in milliseconds. */
const SILENCE_MS = [800, 2500] as const;
const RECONNECT_MS = [5, 200] as const;
const BLINK_MS = [1, 25] as const;
/** Ids are below it. */
const MOST_IDS = 64;
const REPLAYED = 4096;
const LATELY = 256;
/** Every so many messages one goes through its bytes, so that the codec is part of the run. */
const CODEC_EVERY = 16;

/** A process that listens. */
interface Station {
  readonly identity: Identity;
  readonly handlers: NetworkHandlers;
  readonly admission: Admission;
  readonly life: ProcessLife;
  /** Peers of whose outage it was told. */
  readonly down: Set<ReplicaId>;
}

interface Link {
  isUp: boolean;
}

/** A message on its way. */
interface Delivery extends Task {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly message: PeerMessage;
  readonly link: Link;
  readonly wire: Wire;
}

export interface NetworkWatch {
  onSend(from: ReplicaId, to: readonly ReplicaId[], message: PeerMessage): void;
  onDeliver(from: ReplicaId, to: ReplicaId, message: PeerMessage): void;
  /** Something that must have happened in a campaign at least once. */
  reached(what: string): void;
}

export class SimNetwork {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #watch: NetworkWatch;
  readonly #ids: readonly ReplicaId[];
  readonly #stations: Map<ReplicaId, Station>;
  /** By `pairOf`; null: there is none. */
  readonly #links: (Link | null)[];
  /** By `wireOf`. */
  readonly #wires: Wire[];
  /** The last messages sent, in rings: between whom, as `wireOf`, and what. */
  readonly #pastWires: Int32Array;
  readonly #past: PeerMessage[];
  /** Whether messages may be replayed: those that are kept for it cost more than all else that a message costs. */
  readonly #keepsPast: boolean;
  readonly #texts: Map<string, Map<string, string>>;
  #sent: number;
  /** One function for all messages: there are many. */
  readonly #arrive: (task: Task) => void;

  constructor(
    queue: EventQueue,
    random: Random,
    ids: readonly ReplicaId[],
    watch: NetworkWatch,
    keepsPast = true,
  ) {
    this.#queue = queue;
    this.#random = random;
    this.#ids = ids;
    this.#watch = watch;
    this.#stations = new Map();
    const top = ids.reduce((most, id) => Math.max(most, id), 0);
    assert(top < MOST_IDS, "replicas of a simulated network are few");
    this.#links = new Array<Link | null>(wireOf(top, top) + 1).fill(null);
    this.#wires = Array.from(this.#links, () => ({ ...GOOD_WIRE }));
    this.#pastWires = new Int32Array(REPLAYED);
    this.#past = [];
    this.#keepsPast = keepsPast;
    this.#texts = new Map();
    this.#sent = 0;
    this.#arrive = (task) => this.#arrived(task as Delivery);
  }

  /** The wire from `from` to `to`, to be changed in place; then call `changed`. */
  wire(from: ReplicaId, to: ReplicaId): Wire {
    return this.#wires[wireOf(from, to)]!;
  }

  isLinked(a: ReplicaId, b: ReplicaId): boolean {
    return this.#links[pairOf(a, b)] !== null;
  }

  /** A block came or went: links fall silent and are found out, or are made again. */
  changed(): void {
    for (const a of this.#ids) {
      for (const b of this.#ids) {
        if (a >= b) continue;
        if (this.#isOpen(a, b)) this.#connectLater(a, b);
        else this.#noticeLater(a, b);
      }
    }
  }

  #isOpen(a: ReplicaId, b: ReplicaId): boolean {
    return !this.wire(a, b).blocked && !this.wire(b, a).blocked;
  }

  #between([least, most]: readonly [number, number]): number {
    return least + this.#random.next() * (most - least);
  }

  /** The port of one process. */
  port(replica: ReplicaId, life: ProcessLife): Network {
    return {
      start: async (identity, handlers) => {
        if (life.isAlive) this.#listen(replica, identity, handlers, life);
      },
      send: (to, message) => {
        if (!life.isAlive) return;
        this.#watch.onSend(replica, to, message);
        // What was seen to leave may have been its last act.
        if (!life.isAlive) return;
        for (let i = 0; i < to.length; i += 1) this.#send(replica, to[i]!, message);
      },
      close: async () => {
        if (this.#stations.get(replica)?.life === life) this.gone(replica);
      },
    };
  }

  #listen(replica: ReplicaId, identity: Identity, handlers: NetworkHandlers, life: ProcessLife): void {
    const admission = new Admission(identity, (peer) => this.#ids.includes(peer));
    this.#stations.set(replica, { identity, handlers, admission, life, down: new Set() });
    for (const peer of this.#ids) {
      if (peer === replica) continue;
      this.#queue.after(this.#between([0.2, this.wire(replica, peer).dial]), () => {
        this.#connect(replica, peer);
        if (!this.isLinked(replica, peer)) this.#tellDown(replica, peer);
      });
    }
  }

  /** The process of `replica` is gone: the kernel closes its connections. */
  gone(replica: ReplicaId): void {
    this.#stations.delete(replica);
    for (const peer of this.#ids) {
      if (peer === replica || !this.#unlink(replica, peer)) continue;
      this.#queue.after(this.#between([0.2, 3]), () => this.#tellDown(peer, replica));
    }
  }

  /** The connection breaks and is made again; what is on its way is lost. */
  reset(a: ReplicaId, b: ReplicaId, isTold = this.#random.next() < 0.5): void {
    if (!this.#unlink(a, b)) return;
    this.#connectLater(a, b);
    if (!isTold) return;
    this.#tellDown(a, b);
    this.#tellDown(b, a);
  }

  /** As `reset`, but the first attempt to connect again succeeds, in so short a time that nobody is told. */
  blink(a: ReplicaId, b: ReplicaId): void {
    if (this.#unlink(a, b)) this.#queue.after(this.#between(BLINK_MS), () => this.#connect(a, b));
  }

  #connectLater(a: ReplicaId, b: ReplicaId): void {
    if (this.isLinked(a, b)) return;
    this.#queue.after(this.#between(RECONNECT_MS), () => this.#connect(a, b));
  }

  #noticeLater(a: ReplicaId, b: ReplicaId): void {
    this.#queue.after(this.#between(SILENCE_MS), () => {
      if (this.#isOpen(a, b)) return;
      this.#unlink(a, b);
      this.#tellDown(a, b);
      this.#tellDown(b, a);
    });
  }

  #connect(a: ReplicaId, b: ReplicaId): void {
    const left = this.#stations.get(a);
    const right = this.#stations.get(b);
    if (left === undefined || right === undefined || this.isLinked(a, b)) return;
    if (!this.#isOpen(a, b) || left.life.isPaused || right.life.isPaused) {
      this.#queue.after(this.#between(RECONNECT_MS), () => this.#connect(a, b));
      return;
    }
    const refusal =
      left.admission.refusal({ ...right.identity, to: 0 }, 0, "simulated") ??
      right.admission.refusal({ ...left.identity, to: 0 }, 0, "simulated");
    if (refusal !== null) {
      this.#watch.reached("handshake refused");
      left.handlers.onFault({ peer: b, text: refusal });
      right.handlers.onFault({ peer: a, text: refusal });
      return;
    }
    left.admission.admit(right.identity);
    right.admission.admit(left.identity);
    const link = { isUp: true };
    this.#links[pairOf(a, b)] = link;
    if (!this.#raise(left, right, link) || !this.#raise(right, left, link)) this.#unlink(a, b);
  }

  #raise(station: Station, peer: Station, link: Link): boolean {
    if (!station.handlers.onLinkUp(peer.identity)) return false;
    station.down.delete(peer.identity.replica);
    return link.isUp;
  }

  #unlink(a: ReplicaId, b: ReplicaId): boolean {
    const link = this.#links[pairOf(a, b)]!;
    if (link === null) return false;
    link.isUp = false;
    this.#links[pairOf(a, b)] = null;
    return true;
  }

  /** Tells `self` of an outage, once; nothing when there is a link again. */
  #tellDown(self: ReplicaId, peer: ReplicaId): void {
    const station = this.#stations.get(self);
    if (station === undefined || this.isLinked(self, peer) || station.down.has(peer)) return;
    station.down.add(peer);
    station.life.run(() => station.handlers.onLinkDown(peer));
    this.#connectLater(self, peer);
  }

  #send(from: ReplicaId, to: ReplicaId, message: PeerMessage): void {
    const link = this.#links[pairOf(from, to)]!;
    if (link === null) return;
    const wire = this.wire(from, to);
    this.#sent += 1;
    // A genesis is told again with every link only, for frames of a TCP connection are not lost one by one.
    if (message.kind !== "genesis") {
      if (wire.dropKind === message.kind) {
        this.#reached("dropped kind", message.kind);
        return;
      }
      if (wire.loss > 0 && this.#random.next() < wire.loss) {
        this.#reached("lost", message.kind);
        return;
      }
      if (this.#keepsPast) {
        this.#pastWires[this.#sent % REPLAYED] = wireOf(from, to);
        this.#past[this.#sent % REPLAYED] = message;
      }
      if (wire.doubling > 0 && this.#random.next() < wire.doubling) {
        this.#reached("doubled", message.kind);
        this.#deliverLater(from, to, message, link, wire);
      }
      if (wire.replay > 0 && this.#random.next() < wire.replay) this.#replay();
    }
    this.#deliverLater(from, to, this.#sent % CODEC_EVERY === 0 ? recoded(message) : message, link, wire);
  }

  /** The text is put together once: there are many of each kind. */
  #reached(what: string, kind: PeerMessage["kind"]): void {
    let texts = this.#texts.get(what);
    if (texts === undefined) {
      texts = new Map();
      this.#texts.set(what, texts);
    }
    let text = texts.get(kind);
    if (text === undefined) {
      text = `${what} ${kind}`;
      texts.set(kind, text);
    }
    this.#watch.reached(text);
  }

  #replay(): void {
    assert(this.#keepsPast, "a message of the past is delivered again where the past is kept");
    const back = this.#random.below(this.#random.next() < 0.5 ? LATELY : REPLAYED);
    const at = (this.#sent + REPLAYED - back) % REPLAYED;
    const old = this.#past[at];
    if (old === undefined) return;
    const from = Math.floor(this.#pastWires[at]! / MOST_IDS);
    const to = this.#pastWires[at]! % MOST_IDS;
    const link = this.#links[pairOf(from, to)]!;
    if (link === null) return;
    this.#reached("replayed", old.kind);
    this.#deliverLater(from, to, old, link, this.wire(from, to));
  }

  #deliverLater(from: ReplicaId, to: ReplicaId, message: PeerMessage, link: Link, wire: Wire): void {
    const delay = wire.delay + (wire.jitter > 0 ? this.#random.next() * wire.jitter : 0);
    const at = this.#queue.now + delay;
    const delivery: Delivery = {
      at,
      order: 0,
      owner: null,
      run: this.#arrive,
      from,
      to,
      message,
      link,
      wire,
    };
    this.#queue.put(delivery);
  }

  #arrived({ from, to, message, link, wire }: Delivery): void {
    const target = this.#stations.get(to);
    if (!link.isUp || target === undefined || wire.blocked) return;
    if (target.life.isPaused) target.life.run(() => this.#deliver(target, from, to, message));
    else if (target.life.enters()) this.#deliver(target, from, to, message);
  }

  #deliver(target: Station, from: ReplicaId, to: ReplicaId, message: PeerMessage): void {
    this.#watch.onDeliver(from, to, message);
    target.handlers.onMessage(from, message);
  }
}

/** The message as its receiver decodes it. */
function recoded(message: PeerMessage): PeerMessage {
  const writer = ByteWriter.forShort();
  encodeMessage(message, writer);
  const decoded = decodeMessage(writer.take());
  if (decoded === null) throw new Error(`a ${message.kind} cannot be decoded`);
  return decoded;
}

function pairOf(a: ReplicaId, b: ReplicaId): number {
  return a < b ? wireOf(a, b) : wireOf(b, a);
}

function wireOf(from: ReplicaId, to: ReplicaId): number {
  return from * MOST_IDS + to;
}
