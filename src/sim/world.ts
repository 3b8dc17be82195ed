// One virtual world: clock, network, disks, processes and their replicas, driven by one seed. It puts nothing
// wrong by itself; faults do (`fault.ts`), and clients ask (`client.ts`).
import { AssertionFailed } from "../base/assert.js";
import { mixNumber } from "../base/digest.js";
import { Random } from "../base/random.js";
import type { ReplicaId } from "../paxos/ballot.js";
import { type ClusterConfig, DEFAULT_ALPHA } from "../paxos/genesis.js";
import { Memberships, majorityOf } from "../paxos/membership.js";
import type { PeerMessage } from "../wire/peer-message.js";
import { isSnapshotMessage } from "../wire/snapshot-messages.js";
import { describeMessage } from "./describe-message.js";
import { EventQueue } from "./event-queue.js";
import { Ghost, InvariantBroken } from "./ghost.js";
import { Host } from "./host.js";
import { GOOD_WIRE, SimNetwork } from "./network.js";
import { onSend } from "./observe.js";
import { type CrashImage, ShadowRecoveries } from "./shadow-recovery.js";
import { StateRot } from "./state-rot.js";
import { StoredStates } from "./stored-states.js";
import { asksTheWrong, onChunk, onOffer } from "./told-digests.js";
import { Executions } from "./watched-machine.js";
import { WholeChecks } from "./whole-checks.js";

export interface WorldOptions {
  readonly seed: number;
  readonly replicas: number;
  readonly heartbeatMs?: number;
  readonly electionMs?: number;
  readonly requestTimeoutMs?: number;
  readonly segmentBytes?: number;
  /** Whether messages of the past may be replayed; they may, unless it is false. */
  readonly keepsPast?: boolean;
  /** Collects lines: time, replica, what happened. */
  readonly trace?: TraceSink;
  /** Lets microtasks run until none is left: a macrotask of the platform. */
  readonly drain: () => Promise<void>;
}

export type TraceSink = (at: number, id: ReplicaId, text: string) => void;

/** Messages that speak for the disk. */
const DURABLE_KINDS: ReadonlySet<string> = new Set(["prepare", "promise", "accepted"]);

/** So many events in a row, each within so little of the one before, are an endless loop. */
const STILL_EVENTS = 100_000;
const LEAST_MS = 1e-6;

/** Bytes of log that stay when it is compacted: who was away for long or only for a while needs a snapshot. */
const TAILS = [8 << 10, 32 << 10, 128 << 10] as const;

/** In every so many seeds machines are volatile: their states are kept in snapshots. */
const VOLATILE_EVERY = 4;
const SNAPSHOT_BYTES = 4096;

/** So often everything is checked as a whole, in events. */
const WHOLE_EVERY = 1000;

/** At least so often microtasks are let run, in events. */
const DRAIN_EVERY = 32;

/** Messages of one kind that were delivered. */
interface Arrived {
  atLeaders: number;
  atFollowers: number;
}

export class World {
  readonly options: WorldOptions;
  /** Of log that stays when it is compacted. */
  readonly tailBytes: number;
  readonly queue: EventQueue;
  readonly ids: readonly ReplicaId[];
  readonly network: SimNetwork;
  readonly ghost: Ghost;
  readonly executions: Executions;
  readonly rot: StateRot;
  readonly hosts: ReadonlyMap<ReplicaId, Host>;
  readonly #whole: WholeChecks;
  #nextWhole: number;
  readonly #shadows: ShadowRecoveries;
  readonly #reached: Map<string, number>;
  /** Messages delivered, by kind. */
  readonly #arrived: Map<string, Arrived>;
  /** The first invariant that broke; the run ends. */
  violation: Error | null;
  /** What of the world waits for a promise of any replica: microtasks are let run after every event. */
  outstanding: number;
  /** Called for each message that speaks for the disk, before it leaves. */
  onDurableSend: (from: ReplicaId) => void;
  /** Called for each message that has arrived. */
  onDelivered: (from: ReplicaId, to: ReplicaId, kind: PeerMessage["kind"]) => void;
  #digestLow: number;
  #digestHigh: number;

  constructor(options: WorldOptions) {
    this.options = options;
    this.tailBytes = TAILS[options.seed % TAILS.length]!;
    this.queue = new EventQueue();
    this.ids = Array.from({ length: options.replicas }, (_, i) => i + 1);
    this.#reached = new Map();
    this.#arrived = new Map();
    this.violation = null;
    this.outstanding = 0;
    this.onDurableSend = () => {};
    this.onDelivered = () => {};
    this.#digestLow = 1;
    this.#digestHigh = 2;
    const cluster = clusterOf(this.ids);
    this.executions = new Executions(
      (broken) => this.violate(broken),
      () => this.queue.now,
    );
    const watch = {
      onSend: (from: ReplicaId, to: readonly ReplicaId[], message: PeerMessage) =>
        this.#onSend(from, to, message),
      onDeliver: (from: ReplicaId, to: ReplicaId, message: PeerMessage) => this.#onDeliver(from, to, message),
      reached: (what: string) => this.reach(what),
    };
    const random = new Random(options.seed);
    this.network = new SimNetwork(this.queue, random, this.ids, watch, options.keepsPast);
    this.ghost = new Ghost(new Memberships(majorityOf(this.ids), DEFAULT_ALPHA));
    this.rot = new StateRot(this.ghost);
    const { heartbeatMs = 50, electionMs = 500, requestTimeoutMs = 3000, segmentBytes = 32768 } = options;
    const hostOptions = {
      cluster,
      queue: this.queue,
      network: this.network,
      ghost: this.ghost,
      executions: this.executions,
      rot: this.rot,
      storedStates: new StoredStates(this.executions),
      heartbeatMs,
      electionMs,
      requestTimeoutMs,
      // Files so small that a short tail is one.
      segmentBytes: Math.min(segmentBytes, this.tailBytes),
      tailBytes: this.tailBytes,
      isVolatile: options.seed % VOLATILE_EVERY === 0,
      snapshotBytes: SNAPSHOT_BYTES,
      violate: (broken: Error) => this.violate(broken),
      reached: (what: string) => this.reach(what),
      tell: (id: ReplicaId, text: string) => this.tell(id, text),
    };
    // A generator each, so that what happens to one does not change the luck of the others.
    const host = (id: ReplicaId) =>
      new Host(id, { ...hostOptions, random: new Random(options.seed + id * 2 ** 33) });
    this.hosts = new Map(this.ids.map((id) => [id, host(id)]));
    this.#whole = new WholeChecks(this);
    this.#nextWhole = WHOLE_EVERY;
    this.#shadows = new ShadowRecoveries(this, options.seed + 2 ** 40);
  }

  host(id: ReplicaId): Host {
    return this.hosts.get(id)!;
  }

  /** 16 hex digits over everything that was sent and delivered, and when: equal for equal runs. */
  get hash(): string {
    const hex = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
    return hex(this.#digestHigh) + hex(this.#digestLow);
  }

  reach(what: string): void {
    this.#reached.set(what, (this.#reached.get(what) ?? 0) + 1);
  }

  /** What happened at least once, and how often. */
  get reached(): ReadonlyMap<string, number> {
    const all = new Map(this.#reached);
    for (const [kind, { atLeaders }] of this.#arrived)
      if (atLeaders > 0) all.set(`${kind} at a leader`, atLeaders);
    for (const [kind, { atFollowers }] of this.#arrived)
      if (atFollowers > 0) all.set(`${kind} at a follower`, atFollowers);
    return all;
  }

  /** Another world came before this one, and is over. */
  absorb(other: World): void {
    for (const [what, count] of other.reached)
      this.#reached.set(what, (this.#reached.get(what) ?? 0) + count);
    for (const half of [other.#digestLow, other.#digestHigh]) this.#mix(half, other.queue.events);
    if (other.violation !== null) this.violate(other.violation);
  }

  tell(id: ReplicaId, text: string): void {
    this.options.trace?.(this.queue.now, id, text);
  }

  violate(broken: Error): void {
    if (this.violation !== null) return;
    this.violation = broken;
    this.tell(0, `VIOLATION ${broken.message}`);
  }

  /** Runs until `end`, in true milliseconds, a violation, or `isDone`. */
  async run(end: number, isDone: () => boolean = () => false): Promise<void> {
    let since = DRAIN_EVERY;
    let still = 0;
    for (;;) {
      if (since >= DRAIN_EVERY || this.queue.isStirred || this.outstanding > 0) {
        since = 0;
        this.queue.isStirred = false;
        await this.options.drain();
        const image = this.#shadows.due();
        if (image !== null) await this.#recoverShadow(image);
      }
      if (this.violation !== null || isDone()) break;
      if (this.queue.next > end) {
        await this.options.drain();
        if (this.queue.next > end) break;
      }
      const before = this.queue.now;
      this.queue.step();
      since += 1;
      if (this.queue.events >= this.#nextWhole) this.#checkWhole();
      still = this.queue.now > before + LEAST_MS ? 0 : still + 1;
      if (still > STILL_EVENTS) {
        this.violate(new AssertionFailed(`time stands still at ${this.queue.now}`));
      }
    }
    if (this.violation === null && !isDone() && end > this.queue.now) this.queue.now = end;
  }

  /** No microtask of the run waits now: those that run meanwhile are the shadow's, and they come to their end. */
  async #recoverShadow(image: CrashImage): Promise<void> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    this.#shadows.recover(image).then(end, (error: Error) => {
      end();
      this.violate(error);
    });
    await this.options.drain();
    if (!isOver)
      this.violate(new InvariantBroken(`staysUp: replica ${image.id} never comes to the end of its start`));
  }

  #checkWhole(): void {
    this.#nextWhole = this.queue.events + WHOLE_EVERY;
    this.#guard(() => this.#whole.check());
  }

  /** Everything, at the end of a run. */
  checkAll(): void {
    if (this.violation === null) this.#guard(() => this.#whole.checkAll());
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.violate(error as Error);
    }
  }

  /** All wires are good again. */
  healNetwork(among: readonly ReplicaId[] = this.ids): void {
    for (const from of among) {
      for (const to of among) if (from !== to) Object.assign(this.network.wire(from, to), GOOD_WIRE);
    }
    this.network.changed();
  }

  #mix(a: number, b: number): void {
    this.#digestLow = mixNumber(this.#digestLow, a);
    this.#digestHigh = mixNumber(mixNumber(this.#digestHigh, b), a);
  }

  #onSend(from: ReplicaId, to: readonly ReplicaId[], message: PeerMessage): void {
    const { kind } = message;
    if (kind === "genesis") return;
    if (this.options.trace !== undefined) this.tell(from, `> ${to.join(",")} ${describeMessage(message)}`);
    this.#mix(Math.floor(this.queue.now * 1000), from * 64 + to.length + kind.length * 4096);
    if (isSnapshotMessage(message)) {
      if (kind === "snapshotRequest") this.#guard(() => asksTheWrong(this.ghost, from, to, message));
      if (kind === "snapshotOffer") onOffer(this.ghost, from, message);
      return;
    }
    if (DURABLE_KINDS.has(kind)) this.onDurableSend(from);
    if (!this.host(from).isUp) return;
    try {
      onSend(this.ghost, from, message);
    } catch (error) {
      this.violate(error as Error);
    }
  }

  #onDeliver(from: ReplicaId, to: ReplicaId, message: PeerMessage): void {
    const { kind } = message;
    if (this.options.trace !== undefined && kind !== "genesis") {
      this.tell(to, `< ${from} ${describeMessage(message)}`);
    }
    let arrived = this.#arrived.get(kind);
    if (arrived === undefined) {
      arrived = { atLeaders: 0, atFollowers: 0 };
      this.#arrived.set(kind, arrived);
    }
    if (this.host(to).core?.isLeading === true) arrived.atLeaders += 1;
    else arrived.atFollowers += 1;
    this.#mix(Math.floor(this.queue.now * 1000), from * 64 + to + kind.length * 4096);
    if (kind === "snapshotChunk") onChunk(this.ghost, to, message.slot);
    this.onDelivered(from, to, kind);
  }
}

/** A run has few slots: the states are compared all the time. */
const DIGEST_INTERVAL = 16;

function clusterOf(ids: readonly ReplicaId[]): ClusterConfig {
  return {
    token: "simulated",
    members: ids.map((id) => ({ id, address: `simulated:${id}` })),
    alpha: DEFAULT_ALPHA,
    quorum: "majority",
    digestInterval: DIGEST_INTERVAL,
  };
}
