// The core of a replica, watched: what it appends, executes and takes for durable goes to the ghost, in the order in
// which it happens. Invariants that need the core's own state are checked here.
import { assert } from "../base/assert.js";
import type { Ballot, ReplicaId, Slot } from "../paxos/ballot.js";
import type { Event } from "../paxos/event.js";
import type { LogRecord, Notice, Outbox, Synced } from "../paxos/outbox.js";
import type { Paxos } from "../paxos/paxos.js";
import type { Core } from "../replica/turns.js";
import { type Ghost, type GhostReplica, payloadKey } from "./ghost.js";
import * as invariants from "./invariants.js";
import { onAppend, onDurable, onExecute, onInstall } from "./observe.js";
import { callsDivided, fencesTheWrong, onDigest } from "./told-digests.js";
import type { UnsyncedWrites } from "./unsynced-writes.js";

interface AppendedTurn {
  readonly turn: number;
  readonly promised: Ballot;
  readonly records: readonly LogRecord[];
}

/** Made once: a text that is put together anew is slow to count by. */
const TOLD: Readonly<Record<Notice["kind"], string>> = {
  leader: "told leader",
  readReady: "told readReady",
  serveLog: "told serveLog",
  serveSnapshot: "told serveSnapshot",
  compact: "told compact",
  diverged: "told diverged",
  divided: "told divided",
  full: "told full",
  lost: "told lost",
  alarm: "told alarm",
};

export class CoreWatch implements Core {
  readonly paxos: Paxos;
  readonly #id: ReplicaId;
  readonly #ghost: Ghost;
  readonly #own: GhostReplica;
  readonly #disk: UnsyncedWrites;
  readonly #reached: (what: string) => void;
  /** Turns that are not known durable, oldest first. */
  #unsynced: AppendedTurn[];
  /** Installed in this turn; 0: nothing. What was chosen before is executed first. */
  #installed: Slot;
  readonly #onRelease: (proof: Synced) => void;

  constructor(
    paxos: Paxos,
    id: ReplicaId,
    ghost: Ghost,
    disk: UnsyncedWrites,
    reached: (what: string) => void,
  ) {
    this.paxos = paxos;
    this.#id = id;
    this.#ghost = ghost;
    this.#own = ghost.replica(id);
    this.#disk = disk;
    this.#reached = reached;
    this.#unsynced = [];
    this.#installed = 0;
    this.#onRelease = ({ turn }) => {
      invariants.proofsTrue(this.#id, turn, this.#disk);
      this.#synced(turn);
    };
  }

  get deadline(): number {
    return this.paxos.deadline;
  }
  get leader(): ReplicaId {
    return this.paxos.leader;
  }
  get ballot(): Ballot {
    return this.paxos.ballot;
  }
  get isLeading(): boolean {
    return this.paxos.isLeading;
  }
  get chosenUpTo(): Slot {
    return this.paxos.chosenUpTo;
  }
  get promised(): Ballot {
    return this.paxos.promised;
  }

  step(event: Event, now: number, outbox: Outbox): void {
    // One look at the kind, as in `observe.ts`.
    switch (event.kind) {
      case "synced":
        this.#synced(event.turn);
        break;
      case "compact":
        this.#compacts(event.upTo);
        break;
      case "installed":
        this.#installs(event.upTo);
        break;
      case "propose":
        this.#ghost.submitted.add(payloadKey(event.payload));
        break;
      case "read":
        this.#begins(event.id);
        break;
      case "digest":
        onDigest(this.#ghost, this.#id, event.slot, event.digest);
        break;
      case "fenced":
        this.#ghost.sources.set(this.#id, event.members);
        break;
      case "resynced":
        this.#ghost.fenced.delete(this.#id);
        this.#ghost.sources.delete(this.#id);
        this.#reached("a fenced replica has the state of the majority");
        break;
    }
    this.paxos.step(event, now, outbox);
  }

  #begins(read: number): void {
    const { incarnation } = this.#own;
    const begun = { replica: this.#id, atLeast: this.#ghost.visibleUpTo };
    this.#ghost.reads.set(`${this.#id}.${incarnation}.${read}`, begun);
  }

  #compacts(upTo: Slot): void {
    this.#own.compactedUpTo = Math.max(this.#own.compactedUpTo, upTo);
  }

  #installs(upTo: Slot): void {
    this.#own.compactedUpTo = Math.max(this.#own.compactedUpTo, upTo);
    const isNews = upTo > this.paxos.chosenUpTo;
    this.#reached(`${isNews ? "installation" : "void installation"} of a snapshot`);
    if (isNews) this.#installed = upTo;
  }

  #takeInstalled(): void {
    if (this.#installed > 0) onInstall(this.#ghost, this.#id, this.#installed);
    this.#installed = 0;
  }

  endTurn(now: number, outbox: Outbox): void {
    const { paxos } = this;
    paxos.endTurn(now, outbox);
    for (const record of outbox.records) {
      onAppend(this.#ghost, this.#id, record);
      if (record.kind === "void") this.#reached("free slots heal");
    }
    const replica = this.#own;
    invariants.promiseMonotonic(this.#id, replica, paxos.promised);
    replica.promised = Math.max(replica.promised, outbox.promise);
    assert(paxos.promised <= replica.promised, "a raised promise is asked to be written");
    if (outbox.records.length > 0 || outbox.promise > 0) {
      this.#unsynced.push({ turn: outbox.turn, promised: outbox.promise, records: outbox.records });
    }
    // The queue opens with the proof of the log, before the core hears of it: the ghost must know by then.
    if (outbox.isUrgent) outbox.onRelease = this.#onRelease;
    for (const entry of outbox.chosen) {
      if (entry.slot > this.#installed) this.#takeInstalled();
      onExecute(this.#ghost, this.#id, entry);
    }
    this.#takeInstalled();
    if (paxos.isLeading) invariants.leaderHoldsBallot(this.#id, paxos.state.proposer.ballot, paxos.promised);
    for (const notice of outbox.notices) {
      this.#reached(TOLD[notice.kind]);
      if (notice.kind === "diverged") fencesTheWrong(this.#ghost, this.#id, notice.slot, notice.members);
      if (notice.kind === "divided") callsDivided(this.#ghost, this.#id, notice.slot);
      if (notice.kind !== "readReady") continue;
      invariants.linearizableRead(this.#ghost, this.#id, notice.id, notice.slot);
      this.#ghost.visibleUpTo = Math.max(this.#ghost.visibleUpTo, notice.slot);
    }
  }

  /** The log says that everything up to `turn` is on disk: from now on a crash must not take it away. */
  #synced(turn: number): void {
    const replica = this.#own;
    while (this.#unsynced.length > 0 && this.#unsynced[0]!.turn <= turn) {
      const { promised, records } = this.#unsynced.shift()!;
      replica.durablePromise = Math.max(replica.durablePromise, promised);
      for (const record of records) onDurable(this.#ghost, this.#id, record);
    }
  }
}
