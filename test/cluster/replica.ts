// One replica of a test cluster: its core while it is up, its disk, and what it has executed.
import assert from "node:assert/strict";
import type { ReplicaId, Slot } from "../../src/paxos/ballot.js";
import type { ChosenEntry } from "../../src/paxos/message.js";
import type { Outbox } from "../../src/paxos/outbox.js";
import type { Paxos } from "../../src/paxos/paxos.js";
import { TestDisk } from "./disk.js";

export class TestReplica {
  readonly id: ReplicaId;
  readonly disk = new TestDisk();
  incarnation = 0;
  /** Null: crashed. */
  core: Paxos | null = null;
  turn = 0;
  /** By how much its clock is behind the world's: clocks run as they like, and nothing safe depends on them. */
  lag = 0;
  /** Turns that were not synced yet, oldest first. */
  waiting: { readonly outbox: Outbox; readonly at: number }[] = [];
  executed: ChosenEntry[] = [];
  /** The commands of `executed`, as texts, up to so many entries: only `Cluster.hasExecuted` keeps it. */
  texts = { upTo: 0, known: new Set<string>() };
  nextNumber = 1;
  nextRead = 1;
  /** Reads answered in this life, with their slots. */
  readonly answered = new Map<number, Slot>();

  constructor(id: ReplicaId) {
    this.id = id;
  }

  get alive(): Paxos {
    assert(this.core !== null, `replica ${this.id} is up`);
    return this.core;
  }
}
