// The Network port within one process, for tests, simulator and browser: messages are handed over as objects,
// later and in order per pair. Links can be broken, cut and healed, and replicas killed.
import type { ReplicaId } from "../paxos/ballot.js";
import { Admission } from "../wire/admission.js";
import type { PeerMessage } from "../wire/peer-message.js";
import type { Clock, Identity, Network, NetworkHandlers } from "./ports.js";

interface MemoryLink {
  up: boolean;
}

/** What there is of a replica between `start` and its end. */
interface Running {
  readonly identity: Identity;
  readonly handlers: NetworkHandlers;
  readonly admission: Admission;
  /** Peers whose outage was told. */
  readonly down: Set<ReplicaId>;
  alive: boolean;
}

/** Joins the networks of the replicas of one cluster. */
export class MemoryHub {
  readonly #clock: Pick<Clock, "soon">;
  readonly #members: readonly ReplicaId[];
  readonly #running: Map<ReplicaId, Running>;
  readonly #links: Map<string, MemoryLink>;
  readonly #cuts: Set<string>;

  constructor(clock: Pick<Clock, "soon">, members: readonly ReplicaId[]) {
    this.#clock = clock;
    this.#members = members;
    this.#running = new Map();
    this.#links = new Map();
    this.#cuts = new Set();
  }

  /** A network for one run of `replica`. */
  network(replica: ReplicaId): Network {
    let closed = false;
    return {
      start: async (identity, handlers) => {
        if (!closed) this.#start(identity, handlers);
      },
      send: (to, message) => {
        if (!closed) for (const peer of to) this.#send(replica, peer, message);
      },
      close: async () => {
        if (!closed) this.kill(replica);
        closed = true;
      },
    };
  }

  /** The connection is lost and made anew at once: what is on its way is lost, nobody is told of an outage. */
  breakLink(a: ReplicaId, b: ReplicaId): void {
    if (this.#unlink(a, b)) this.#connectSoon(a, b);
  }

  cut(a: ReplicaId, b: ReplicaId): void {
    this.#cuts.add(pairOf(a, b));
    this.#unlink(a, b);
    this.#clock.soon(() => this.#tellDown(a, b));
  }

  heal(a: ReplicaId, b: ReplicaId): void {
    this.#cuts.delete(pairOf(a, b));
    this.#connectSoon(a, b);
  }

  /** Ends the run of `replica`: it hears nothing more, its peers hear that it is down. */
  kill(replica: ReplicaId): void {
    const running = this.#running.get(replica);
    if (running === undefined) return;
    running.alive = false;
    this.#running.delete(replica);
    for (const peer of this.#others(replica)) {
      this.#unlink(replica, peer);
      this.#clock.soon(() => this.#tellDown(replica, peer));
    }
  }

  #others(replica: ReplicaId): ReplicaId[] {
    return this.#members.filter((member) => member !== replica);
  }

  #start(identity: Identity, handlers: NetworkHandlers): void {
    const { replica } = identity;
    const admission = new Admission(identity, (peer) => this.#members.includes(peer));
    this.#running.set(replica, { identity, handlers, admission, down: new Set(), alive: true });
    for (const peer of this.#others(replica)) this.#connectSoon(replica, peer);
  }

  #connectSoon(a: ReplicaId, b: ReplicaId): void {
    this.#clock.soon(() => {
      this.#connect(a, b);
      this.#tellDown(a, b);
    });
  }

  #connect(a: ReplicaId, b: ReplicaId): void {
    const pair = pairOf(a, b);
    const left = this.#running.get(a);
    const right = this.#running.get(b);
    if (left === undefined || right === undefined || this.#cuts.has(pair) || this.#links.has(pair)) return;
    const refusal = refusalOf(left, right) ?? refusalOf(right, left);
    if (refusal !== null) {
      left.handlers.onFault({ peer: b, text: refusal });
      right.handlers.onFault({ peer: a, text: refusal });
      return;
    }
    left.admission.admit(right.identity);
    right.admission.admit(left.identity);
    const link = { up: true };
    this.#links.set(pair, link);
    if (!this.#raise(left, right, link) || !this.#raise(right, left, link)) this.#unlink(a, b);
  }

  /** Whether `link` is still there after `running` was told of it and took it. */
  #raise(running: Running, peer: Running, link: MemoryLink): boolean {
    if (!running.handlers.onLinkUp(peer.identity)) return false;
    running.down.delete(peer.identity.replica);
    return link.up;
  }

  #unlink(a: ReplicaId, b: ReplicaId): boolean {
    const link = this.#links.get(pairOf(a, b));
    if (link === undefined) return false;
    link.up = false;
    return this.#links.delete(pairOf(a, b));
  }

  /** Tells both sides of an outage, once; nothing when there is a link again. */
  #tellDown(a: ReplicaId, b: ReplicaId): void {
    if (this.#links.has(pairOf(a, b))) return;
    for (const [self, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      const running = this.#running.get(self);
      if (running === undefined || running.down.has(peer)) continue;
      running.down.add(peer);
      running.handlers.onLinkDown(peer);
    }
  }

  #send(from: ReplicaId, to: ReplicaId, message: PeerMessage): void {
    const link = this.#links.get(pairOf(from, to));
    const target = this.#running.get(to);
    if (link === undefined || target === undefined) return;
    this.#clock.soon(() => {
      if (link.up && target.alive) target.handlers.onMessage(from, message);
    });
  }
}

function refusalOf(running: Running, peer: Running): string | null {
  return running.admission.refusal({ ...peer.identity, to: 0 }, 0, "in memory");
}

function pairOf(a: ReplicaId, b: ReplicaId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
