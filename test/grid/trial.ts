// Starts three replicas on given disks, and says whether all that there was comes back, or, where a part of it is lost
// for good, whether they stay safely unavailable: nothing in its place, nothing acknowledged, and the loss is told.
import assert from "node:assert/strict";
import type { ReplicaId, Slot } from "../../src/paxos/ballot.js";
import { type DiskOperation, MemoryDisk } from "../../src/wal/memory-disk.js";
import { MemoryCluster } from "../support/memory-cluster.js";
import { REPLICAS } from "./combination.js";
import { type ListMachine, listMachine } from "./list-machine.js";

/** Virtual milliseconds in which what is recoverable has to be there, and everyone has to serve. */
const RECOVERED_MS = 10_000;
/** What is lost stays lost for so long; longer than the time-out of requests. */
const LOST_MS = 7000;
const SEGMENT_BYTES = 1 << 14;

const NO_STATE = "this replica has lost the state of slots ";

export type Disks = ReadonlyMap<ReplicaId, MemoryDisk>;

/** What was acknowledged before the damage, and what must become of it. */
export interface History {
  /** In the order of execution. */
  readonly texts: readonly string[];
  /** Null: all of it has a good copy somewhere. */
  readonly loss: Loss | null;
}

export interface Loss {
  /** How many of the texts may be executed. */
  readonly safe: number;
  /** Chosen or executed for nobody, as little as those after it. */
  readonly slot: Slot;
  /** The logs remember that the lost was chosen: nobody shows a state without it. */
  readonly isKnown: boolean;
  /** How alarms may begin; one replica or more say the first. */
  readonly alarms: readonly [string, ...string[]];
}

export type Outcome =
  | { readonly kind: "recovered" }
  | { readonly kind: "unavailable" }
  | { readonly kind: "wrong"; readonly what: string };

/** Disks of their own with the same files, all of them durable. */
export function copyOf(disks: Disks): Map<ReplicaId, MemoryDisk> {
  const copies = new Map<ReplicaId, MemoryDisk>();
  for (const [id, disk] of disks) {
    const copy = new MemoryDisk();
    for (const name of disk.names()) copy.put(name, disk.bytesOf(name));
    copies.set(id, copy);
  }
  return copies;
}

interface TrialOptions {
  /** How long a sync of a disk that is not there yet takes. */
  readonly syncMs?: () => number;
  readonly snapshotBytes?: number;
  readonly tailBytes?: number;
}

export class Trial {
  readonly cluster: MemoryCluster<string, number, "all", readonly string[]>;
  readonly #machines: Map<ReplicaId, ListMachine>;

  constructor(disks: Disks, { syncMs, ...more }: TrialOptions = {}) {
    this.#machines = new Map();
    const schedule = (operation: DiskOperation, _bytes: number, task: () => void) => {
      const { clock } = this.cluster;
      clock.at(clock.now() + (operation === "sync" ? (syncMs?.() ?? 0) : 0), task);
    };
    this.cluster = new MemoryCluster({
      ...more,
      replicas: REPLICAS.length,
      makeDisk: () => new MemoryDisk({ schedule }),
      segmentBytes: SEGMENT_BYTES,
      machine: (id) => {
        const machine = listMachine();
        this.#machines.set(id, machine);
        return machine;
      },
    });
    for (const [id, disk] of disks) this.cluster.disks.set(id, disk);
  }

  async run(history: History): Promise<Outcome> {
    try {
      for (const id of REPLICAS) await this.cluster.start(id);
      const { loss } = history;
      if (loss === null) await this.#recovers(history);
      else await this.#staysUnavailable(history, loss);
      return { kind: loss === null ? "recovered" : "unavailable" };
    } catch (error) {
      return { kind: "wrong", what: error instanceof Error ? error.message : String(error) };
    }
  }

  #executed(id: ReplicaId): readonly string[] {
    return this.#machines.get(id)!.query("all") as readonly string[];
  }

  #isBack({ texts }: History): boolean {
    return REPLICAS.every((id) => {
      const { leader, isServing } = this.cluster.replica(id).status();
      return leader !== 0 && isServing && this.#executed(id).length >= texts.length;
    });
  }

  async #recovers(history: History): Promise<void> {
    const { texts } = history;
    const { clock } = this.cluster;
    await clock.until(() => this.#isBack(history), RECOVERED_MS);
    for (const id of REPLICAS) assert.deepEqual(this.#executed(id), texts, `replica ${id} has executed`);
    const all = [...texts];
    for (const id of REPLICAS) {
      all.push(`new at ${id}`);
      const count = await clock.settle(this.cluster.replica(id).propose(`new at ${id}`));
      assert.equal(count, all.length, `the result of a command at replica ${id}`);
    }
    for (const id of REPLICAS) {
      const read = await clock.settle(this.cluster.replica(id).read("all"));
      assert.deepEqual(read, all, `a read at replica ${id}`);
    }
    await clock.until(() => REPLICAS.every((id) => this.#executed(id).length >= all.length), RECOVERED_MS);
    for (const id of REPLICAS) {
      assert.deepEqual(this.#executed(id), all, `replica ${id} has executed`);
      assert.deepEqual(this.cluster.replica(id).status().alarms, [], `the alarms of replica ${id}`);
    }
  }

  async #staysUnavailable({ texts }: History, { slot, safe, isKnown, alarms }: Loss): Promise<void> {
    const wrong: string[] = [];
    const note = (what: string, promise: Promise<unknown>) => {
      void promise.then(
        () => wrong.push(`${what} is answered`),
        (error: Error & { readonly code?: string }) => {
          if (error.code !== "OUTCOME_UNKNOWN" && error.code !== "UNAVAILABLE")
            wrong.push(`${what} fails with ${error.message}`);
        },
      );
    };
    for (const id of REPLICAS) {
      note(`a command at replica ${id}`, this.cluster.replica(id).propose(`new at ${id}`));
      note(`a read at replica ${id}`, this.cluster.replica(id).read("all"));
      if (isKnown)
        note(`a local read at replica ${id}`, this.cluster.replica(id).read("all", { local: true }));
    }
    await this.cluster.clock.pass(LOST_MS);
    assert.deepEqual(wrong, []);
    for (const id of REPLICAS) {
      const executed = this.#executed(id);
      assert.deepEqual(executed, texts.slice(0, executed.length), `replica ${id} has executed`);
      assert.ok(executed.length <= safe, `replica ${id} has executed ${executed.join(", ")}`);
      const { appliedUpTo, chosenUpTo, isServing } = this.cluster.replica(id).status();
      const upTo = Math.max(appliedUpTo, chosenUpTo);
      assert.ok(upTo < slot, `replica ${id} takes slot ${upTo} for chosen`);
      if (isKnown) assert.equal(isServing, false, `replica ${id} serves`);
    }
    this.#saysWhatIsLost(alarms, isKnown);
  }

  #saysWhatIsLost(expected: Loss["alarms"], isKnown: boolean): void {
    let told = 0;
    for (const id of REPLICAS) {
      const { alarms } = this.cluster.replica(id).status();
      const more = alarms.filter((text) => !text.startsWith(NO_STATE));
      assert.equal(alarms.length - more.length, isKnown ? 1 : 0, `the alarms of replica ${id}`);
      for (const text of more) {
        const which = expected.findIndex((begin) => text.startsWith(begin));
        assert.ok(which >= 0, `replica ${id} says: ${text}; not: ${expected.join("; or: ")}`);
        if (which === 0) told += 1;
      }
    }
    assert.ok(told > 0, `nobody says: ${expected[0]}`);
  }
}
