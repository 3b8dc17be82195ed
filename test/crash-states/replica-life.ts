// A life of everything that a replica opens: directory, log, machine, snapshots; it is driven without a core, by turns
// that a test makes up.
import type { StateMachine } from "../../src/machine/machine.js";
import type { Slot } from "../../src/paxos/ballot.js";
import { encodeGenesis } from "../../src/paxos/genesis.js";
import type { ChosenEntry } from "../../src/paxos/message.js";
import { type Opened, open } from "../../src/replica/opening.js";
import { StateTransfer } from "../../src/replica/state-transfer.js";
import { Room } from "../../src/wal/room.js";
import type { Wal } from "../../src/wal/wal.js";
import type { PeerMessage } from "../../src/wire/peer-message.js";
import { ManualClock } from "../support/wal-life.js";
import type { Found, Turn } from "./fact.js";
import { Appending, CLUSTER, describeLog, HEARTBEAT_MS, hex, hexOf, type Life, SELF } from "./life.js";
import type { RecordingDisk } from "./recording-disk.js";

/** A machine of a test: what its state is, as text. */
export interface MachineOfTest {
  readonly machine: StateMachine<never, unknown, never, unknown>;
  describe(): Promise<string>;
}

export interface ReplicaLifeOptions {
  readonly segmentBytes: number;
  readonly snapshotBytes: number;
  readonly tailBytes: number;
  readonly digit: string;
}

type OpenedMachine = Opened<never, unknown, never, unknown>;

export class ReplicaLife implements Life {
  readonly found: Found;
  readonly clock: ManualClock;
  readonly transfer: StateTransfer<never, unknown, never, unknown>;
  /** What was sent and not looked at yet. */
  readonly sent: PeerMessage[];
  readonly failures: Error[];
  readonly #disk: RecordingDisk;
  readonly #opened: OpenedMachine;
  readonly #appending: Appending;
  #compactedUpTo: Slot;

  private constructor(
    disk: RecordingDisk,
    opened: OpenedMachine,
    found: Found,
    clock: ManualClock,
    appending: Appending,
    failures: Error[],
    tailBytes: number,
  ) {
    this.#disk = disk;
    this.#opened = opened;
    this.found = found;
    this.clock = clock;
    this.#appending = appending;
    this.sent = [];
    this.failures = failures;
    this.#compactedUpTo = found.compactedUpTo;
    this.transfer = new StateTransfer(opened, {
      clock,
      network: { send: (_, message) => void this.sent.push(message) },
      tailBytes,
      post: (event) => {
        // The core looks for nothing in the log: it may go.
        if (event.kind !== "compact") return;
        disk.tell({ kind: "compacting", upTo: event.upTo });
        this.transfer.compactLog(event.upTo);
      },
      linked: () => [],
      isWanted: (_, slot) => slot > opened.executor.appliedUpTo,
      isTrusted: () => true,
      onHealed: () => {},
      onInstalled: () => this.#held(),
      onEnded: () => {},
      onDeadline: () => {},
      onFault: (text) => void failures.push(new Error(text)),
      onBroken: (error) => void failures.push(error),
    });
  }

  static async start(
    disk: RecordingDisk,
    { machine, describe }: MachineOfTest,
    { segmentBytes, snapshotBytes, tailBytes, digit }: ReplicaLifeOptions,
  ): Promise<ReplicaLife> {
    disk.tell({ kind: "starting" });
    const clock = new ManualClock();
    const appending = new Appending(disk);
    const failures: Error[] = [];
    const onFailed = (error: Error) => void failures.push(error);
    let life: ReplicaLife | null = null;
    const room = Room.withoutReserve({ disk, clock, onFailed });
    const opened = await open(
      { disk, machine, release: async () => {} },
      {
        id: SELF,
        cluster: CLUSTER,
        clock,
        randomHex: (bytes) => hexOf(digit, bytes),
        segmentBytes,
        snapshotBytes,
        room,
        heartbeatMs: HEARTBEAT_MS,
        replies: { resolve: () => {}, reject: (_, error) => onFailed(error) },
        onSynced: ({ turn }) => {
          appending.onSynced(turn);
          if (life === null) return;
          life.#compacted();
          life.#commit();
        },
        toClose: [],
        onLogDamaged: (slot) => life?.transfer.lost(slot),
        onCommitted: () => {
          if (life === null) return;
          life.#held();
          life.transfer.committed();
        },
        onFailed,
      },
    );
    const { incarnation, diskId } = opened.identity;
    disk.tell({ kind: "started", incarnation, diskId });
    const { promised, chosenUpTo } = opened.recovered;
    const { compactedUpTo } = opened.wal;
    const { genesis } = opened.bootstrap;
    const found: Found = {
      incarnation,
      diskId,
      genesis: genesis === null ? "" : hex(encodeGenesis(genesis)),
      promised,
      compactedUpTo,
      held: opened.held.durable.held().slot,
      ...(await describeLog(opened.wal, { ...opened.recovered, compactedUpTo })),
      state: await describe(),
      chosenUpTo,
    };
    disk.tell({ kind: "recovered", found });
    life = new ReplicaLife(disk, opened, found, clock, appending, failures, tailBytes);
    return life;
  }

  get wal(): Wal {
    return this.#opened.wal;
  }

  get proven(): number {
    return this.#appending.proven;
  }

  get appliedUpTo(): Slot {
    return this.#opened.executor.appliedUpTo;
  }

  append(turn: Turn): void {
    this.#appending.append(this.wal, turn);
  }

  /** They are known chosen: the machine executes them. */
  execute(entries: readonly ChosenEntry[]): void {
    const { executor } = this.#opened;
    executor.enqueue(entries);
    executor.run();
    this.#commit();
  }

  /** Time passes, and what waits for it happens. */
  pass(ms: number): void {
    this.clock.advance(ms);
    this.#commit();
  }

  #commit(): void {
    this.#opened.committer.poke(this.clock.now());
  }

  #held(): void {
    const { committer, held } = this.#opened;
    this.#disk.tell({ kind: "held", slot: Math.max(committer.heldUpTo, held.durable.held().slot) });
  }

  #compacted(): void {
    const { compactedUpTo } = this.wal;
    if (compactedUpTo === this.#compactedUpTo) return;
    this.#compactedUpTo = compactedUpTo;
    this.#disk.tell({ kind: "compacted", upTo: compactedUpTo });
  }

  async close(): Promise<void> {
    this.transfer.stop();
    await this.transfer.close();
    await this.wal.close();
    await this.#opened.committer.finish(true);
    await this.#opened.held.durable.close();
  }
}
