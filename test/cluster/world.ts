// A deterministic world of n cores: messages as a list that tests deliver, drop or keep, disks that lose what
// was not synced, links that break. Every event is followed by the invariants.
import assert from "node:assert/strict";
import { Random } from "../../src/base/random.js";
import type { ReplicaId, Slot } from "../../src/paxos/ballot.js";
import type { Event } from "../../src/paxos/event.js";
import { type Membership, Memberships, majorityOf } from "../../src/paxos/membership.js";
import type { ChosenEntry, Message } from "../../src/paxos/message.js";
import { type Envelope, type Notice, Outbox } from "../../src/paxos/outbox.js";
import { Paxos } from "../../src/paxos/paxos.js";
import { sameValue } from "../../src/paxos/value.js";
import { Ghost, payloadKey } from "../../src/sim/ghost.js";
import * as invariants from "../../src/sim/invariants.js";
import { onAppend, onDurable, onExecute, onInstall, onSend, onStart } from "../../src/sim/observe.js";
import { LOSE_ALL, type Survivors } from "./disk.js";
import { syncedUpTo } from "./forge.js";
import { TestReplica } from "./replica.js";

/** How long a snapshot takes in a timed run. */
const SNAPSHOT_MS = 20;

export interface InFlight {
  readonly id: number;
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly message: Message;
  /** When a timed run delivers it. */
  readonly arrivesAt: number;
}

export type Link = "up" | "silent" | "closed";

export interface ClusterOptions {
  readonly replicas: number;
  readonly seed?: number;
  /** Majorities of `replicas` by default. */
  readonly membership?: Membership;
  readonly alpha?: number;
  readonly heartbeatMs?: number;
  readonly electionMs?: number;
  /** Whether every turn is synced at once; else by `sync`, and after `syncMs` in a timed run. */
  readonly autoSync?: boolean;
  readonly syncMs?: number;
  /** Least and greatest delay of a message in a timed run, in milliseconds. */
  readonly latencyMs?: readonly [number, number];
  /** Links that are up at the start; all by default. */
  readonly linked?: (a: ReplicaId, b: ReplicaId) => boolean;
}

export class World {
  readonly options: ClusterOptions;
  readonly memberships: Memberships;
  readonly ghost: Ghost;
  readonly random: Random;
  readonly replicas = new Map<ReplicaId, TestReplica>();
  readonly #links = new Map<string, Link>();
  now = 0;
  flying: InFlight[] = [];
  #nextId = 1;
  /** Told of everything that happens, as lines of text are made from it. */
  onMessage: (from: ReplicaId, to: ReplicaId, message: Message, isAfterSync: boolean) => void = () => {};
  onExecute: (id: ReplicaId, entry: ChosenEntry) => void = () => {};
  /** Snapshots on their way: what made the state, and when a timed run installs it. */
  readonly offers = new Map<ReplicaId, { readonly state: readonly ChosenEntry[]; readonly at: number }>();
  onNotice: (id: ReplicaId, notice: Notice) => void = () => {};
  autoSync: boolean;
  /** A test has damaged a disk: of a chosen value one good copy must be left, not a quorum's. */
  isDamaged = false;

  constructor(options: ClusterOptions) {
    this.options = options;
    this.autoSync = options.autoSync ?? false;
    const voters = Array.from({ length: options.replicas }, (_, i) => i + 1);
    this.memberships = new Memberships(options.membership ?? majorityOf(voters), options.alpha ?? 64);
    this.ghost = new Ghost(this.memberships);
    this.random = new Random(options.seed ?? 1);
    for (const id of voters) {
      const replica = new TestReplica(id);
      replica.disk.onDurable = (record) => onDurable(this.ghost, id, record);
      this.replicas.set(id, replica);
    }
    for (const a of voters) {
      for (const b of voters)
        if (a < b && options.linked?.(a, b) === false) this.#links.set(`${a}-${b}`, "closed");
    }
    for (const id of voters) this.#start(this.replica(id));
    for (const a of voters) for (const b of voters) if (a !== b) this.#tellLink(a, b);
  }

  get ids(): ReplicaId[] {
    return [...this.replicas.keys()];
  }

  replica(id: ReplicaId): TestReplica {
    const replica = this.replicas.get(id);
    assert(replica !== undefined, `there is no replica ${id}`);
    return replica;
  }

  core(id: ReplicaId): Paxos {
    return this.replica(id).alive;
  }

  /** Replicas that take themselves for the leader. */
  get leaders(): ReplicaId[] {
    return this.ids.filter((id) => this.replica(id).core?.isLeading === true);
  }

  // --- replicas ---

  #start(replica: TestReplica): void {
    replica.incarnation += 1;
    const recovered = replica.disk.recover();
    const seed = (this.options.seed ?? 1) * 1000 + replica.id * 10 + replica.incarnation;
    replica.core = new Paxos({
      self: replica.id,
      incarnation: replica.incarnation,
      memberships: this.memberships,
      recovered,
      seed,
      now: this.now - replica.lag,
      heartbeatMs: this.options.heartbeatMs ?? 50,
      electionMs: this.options.electionMs ?? 500,
    });
    replica.executed = replica.disk.chosen();
    replica.texts = { upTo: 0, known: new Set() };
    replica.nextNumber = 1;
    replica.nextRead = 1;
    replica.answered.clear();
    const ghost = this.ghost.replica(replica.id);
    ghost.incarnation = replica.incarnation;
    ghost.chosenUpTo = recovered.chosenUpTo;
    onStart(this.ghost, replica.id, recovered);
    invariants.promiseMonotonic(replica.id, ghost, replica.core.promised);
  }

  #tellLink(at: ReplicaId, peer: ReplicaId): void {
    if (this.replica(at).core === null) return;
    const isUp = this.link(at, peer) === "up" && this.replica(peer).core !== null;
    this.step(at, { kind: isUp ? "linkUp" : "linkDown", peer });
  }

  /** The process ends; of the turns that were not synced only the survivors are found again. */
  crash(id: ReplicaId, survivors: Survivors = LOSE_ALL): void {
    const replica = this.replica(id);
    replica.alive;
    replica.core = null;
    replica.waiting = [];
    this.offers.delete(id);
    replica.disk.crash(survivors);
    const ghost = this.ghost.replica(id);
    ghost.durablePromise = replica.disk.promised;
    this.ghost.forget(id);
    invariants.quorumLog(this.ghost, this.isDamaged, (at, slot, value) => {
      const { disk } = this.replica(at);
      const shown = disk.slots.get(slot) ?? disk.state[slot - 1];
      return shown !== undefined && sameValue(shown.value, value);
    });
    for (const peer of this.ids)
      if (peer !== id && this.link(id, peer) !== "silent") this.#tellLink(peer, id);
  }

  /** It ends, and what was at the end of its log cannot be told any more. */
  hideEnd(id: ReplicaId): void {
    this.isDamaged = true;
    this.replica(id).disk.hideEnd();
    // What it was told is chosen is hidden too; its votes are known to the ghost as those that damage hides.
    const ghost = this.ghost.replica(id);
    ghost.durableLearned = new Map();
    this.ghost.forget(id);
  }

  restart(id: ReplicaId): void {
    const replica = this.replica(id);
    assert(replica.core === null, `replica ${id} is down`);
    this.#start(replica);
    for (const peer of this.ids) {
      if (peer === id || this.link(id, peer) === "silent") continue;
      this.#tellLink(id, peer);
      this.#tellLink(peer, id);
    }
  }

  // --- links ---

  link(a: ReplicaId, b: ReplicaId): Link {
    return this.#links.get(`${Math.min(a, b)}-${Math.max(a, b)}`) ?? "up";
  }

  /** `closed`: both ends are told at once; `silent`: messages vanish and nobody is told. */
  setLink(a: ReplicaId, b: ReplicaId, link: Link): void {
    const before = this.link(a, b);
    if (before === link) return;
    this.#links.set(`${Math.min(a, b)}-${Math.max(a, b)}`, link);
    if (link === "silent") return;
    this.#tellLink(a, b);
    this.#tellLink(b, a);
  }

  heal(): void {
    for (const a of this.ids) for (const b of this.ids) if (a < b) this.setLink(a, b, "up");
  }

  // --- steps ---

  /** One turn of one event. */
  step(id: ReplicaId, event: Event): void {
    this.turn(id, [event]);
  }

  turn(id: ReplicaId, events: readonly Event[]): void {
    const replica = this.replica(id);
    const core = replica.alive;
    replica.turn += 1;
    const outbox = new Outbox(replica.turn);
    const now = this.now - replica.lag;
    for (const event of events) core.step(event, now, outbox);
    core.endTurn(now, outbox);
    for (const record of outbox.records) onAppend(this.ghost, id, record);
    this.#checkPromise(id, core, outbox);
    replica.disk.append(outbox.turn, outbox.promise, outbox.records);
    for (const entry of outbox.chosen) {
      onExecute(this.ghost, id, entry);
      replica.executed.push(entry);
      this.onExecute(id, entry);
    }
    if (core.isLeading) invariants.leaderHoldsBallot(id, core.state.proposer.ballot, core.promised);
    this.#release(id, outbox.sendNow, false);
    for (const notice of outbox.notices) this.#onNotice(replica, notice);
    replica.waiting.push({ outbox, at: this.now });
    const isSyncOnly = events.every((event) => event.kind === "synced");
    if (this.autoSync && !(isSyncOnly && !outbox.isUrgent)) this.sync(id);
  }

  #checkPromise(id: ReplicaId, core: Paxos, outbox: Outbox): void {
    const ghost = this.ghost.replica(id);
    invariants.promiseMonotonic(id, ghost, core.promised);
    const told = Math.max(ghost.promised, outbox.promise);
    assert(core.promised <= told, `replica ${id} raised its promise and did not ask for it to be written`);
    ghost.promised = told;
  }

  #release(from: ReplicaId, envelopes: readonly Envelope<Message>[], isAfterSync: boolean): void {
    for (const { to, message } of envelopes) {
      onSend(this.ghost, from, message);
      for (const target of to) this.#post(from, target, message, isAfterSync);
    }
  }

  #post(from: ReplicaId, to: ReplicaId, message: Message, isAfterSync: boolean): void {
    assert(from !== to, `replica ${from} sends ${message.kind} to itself`);
    this.onMessage(from, to, message, isAfterSync);
    if (this.link(from, to) !== "up") return;
    const [least, greatest] = this.options.latencyMs ?? [1, 1];
    const delay = least === greatest ? least : least + this.random.below(greatest - least + 1);
    this.flying.push({ id: this.#nextId, from, to, message, arrivesAt: this.now + delay });
    this.#nextId += 1;
  }

  #onNotice(replica: TestReplica, notice: Notice): void {
    this.onNotice(replica.id, notice);
    if (notice.kind === "readReady") {
      invariants.linearizableRead(this.ghost, replica.id, notice.id, notice.slot);
      replica.answered.set(notice.id, notice.slot);
      this.ghost.visibleUpTo = Math.max(this.ghost.visibleUpTo, notice.slot);
    } else if (notice.kind === "serveLog") {
      const entries = replica.executed.slice(notice.fromSlot - 1, notice.fromSlot + 99);
      if (entries.length > 0) {
        this.#release(replica.id, [{ to: [notice.to], message: { kind: "learned", entries } }], false);
      }
    } else if (notice.kind === "serveSnapshot") {
      this.#offer(replica, notice.to);
    }
  }

  #offer(replica: TestReplica, to: ReplicaId): void {
    if (this.link(replica.id, to) !== "up" || this.replica(to).core === null) return;
    const state = [...replica.executed];
    if (!this.offers.has(to)) this.offers.set(to, { state, at: this.now + SNAPSHOT_MS });
    this.step(to, { kind: "offered", from: replica.id, upTo: state.length });
  }

  /** The snapshot that was offered to `id` has come; at or below what it has executed it is void. */
  install(id: ReplicaId): void {
    const replica = this.replica(id);
    const { state } = this.offers.get(id)!;
    this.offers.delete(id);
    const upTo = state.length;
    if (upTo > replica.alive.chosenUpTo) {
      onInstall(this.ghost, id, upTo);
      replica.disk.compact(state);
      replica.executed = [...state];
      replica.texts = { upTo: 0, known: new Set() };
    }
    this.step(id, { kind: "installed", upTo });
  }

  /** The state of `id` is durable up to `upTo`, and its log forgets that. */
  compact(id: ReplicaId, upTo: Slot): void {
    const { disk, executed } = this.replica(id);
    assert(
      upTo <= disk.chosenUpTo && upTo >= disk.compactedUpTo,
      "only what is known chosen, on disk, is compacted",
    );
    disk.compact(executed.slice(0, upTo));
    this.step(id, { kind: "compact", upTo });
  }

  /** Makes the turns up to `turn` durable (all by default), then sends what waited for it. */
  sync(id: ReplicaId, turn?: number): void {
    const replica = this.replica(id);
    replica.alive;
    const upTo = turn ?? replica.turn;
    replica.disk.sync(upTo);
    const ghost = this.ghost.replica(id);
    ghost.durablePromise = Math.max(ghost.durablePromise, replica.disk.promised);
    let synced = 0;
    while (replica.waiting.length > 0 && replica.waiting[0]!.outbox.turn <= upTo) {
      const { outbox } = replica.waiting.shift()!;
      synced = outbox.turn;
      this.#release(id, outbox.releaseAfterSync(syncedUpTo(upTo)), true);
    }
    if (synced > 0) this.step(id, { kind: "synced", turn: synced });
  }

  propose(id: ReplicaId, text: string): number {
    const replica = this.replica(id);
    const number = replica.nextNumber;
    replica.nextNumber += 1;
    const payload = new TextEncoder().encode(text);
    this.ghost.submitted.add(payloadKey(payload));
    this.step(id, { kind: "propose", number, settled: 0, payload });
    return number;
  }

  read(id: ReplicaId): number {
    const replica = this.replica(id);
    const read = replica.nextRead;
    replica.nextRead += 1;
    this.ghost.reads.set(`${id}.${replica.incarnation}.${read}`, {
      replica: id,
      atLeast: this.ghost.visibleUpTo,
    });
    this.step(id, { kind: "read", id: read });
    return read;
  }

  // --- messages ---

  /** Hands a message over, whatever the link says by now; `keep` leaves it in flight, to be delivered again. */
  deliver(flying: InFlight, keep = false): void {
    if (!keep) this.drop(flying);
    if (this.replica(flying.to).core === null) return;
    this.step(flying.to, { kind: "message", from: flying.from, message: flying.message });
  }

  drop(flying: InFlight): void {
    const at = this.flying.indexOf(flying);
    assert(at >= 0, "the message is in flight");
    this.flying.splice(at, 1);
  }

  find(from: ReplicaId, to: ReplicaId, kind?: Message["kind"]): InFlight[] {
    return this.flying.filter(
      (flying) =>
        flying.from === from && flying.to === to && (kind === undefined || flying.message.kind === kind),
    );
  }
}
