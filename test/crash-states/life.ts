// One life of a replica's disk: it starts by the code that every start runs, says what it found, appends and ends. It
// tells the recording of its disk what it was told.
import type { Ballot, Slot } from "../../src/paxos/ballot.js";
import { type ClusterConfig, clusterIdOf, encodeGenesis, makeGenesis } from "../../src/paxos/genesis.js";
import type { Accepted, ChosenEntry, Faulty } from "../../src/paxos/message.js";
import { DataDirectory } from "../../src/wal/identity.js";
import { Wal } from "../../src/wal/wal.js";
import { ManualClock } from "../support/wal-life.js";
import { describeSlot } from "./expected-log.js";
import type { Found, Turn } from "./fact.js";
import type { RecordingDisk } from "./recording-disk.js";

export const SELF = 1;
export const CLUSTER: ClusterConfig = {
  token: "crash states",
  members: [1, 2, 3].map((id) => ({ id, address: `replica-${id}:2380` })),
  alpha: 64,
  quorum: "majority",
  digestInterval: 1024,
};

export const HEARTBEAT_MS = 50;

/** Another disk id for every disk that is asked for one. */
export const hexOf = (digit: string, bytes: number): string => digit.repeat(bytes * 2);

export function genesisWith(diskId: string): Uint8Array {
  const other = "e".repeat(32);
  return encodeGenesis(
    makeGenesis(
      CLUSTER,
      new Map([
        [SELF, diskId],
        [2, other],
        [3, other],
      ]),
    ),
  );
}

export const hex = (bytes: Uint8Array | null): string =>
  bytes === null ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");

/** All that waits in this process happens: nothing here waits for anything but microtasks. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Throws where `step` waits for something that never comes. */
export async function ending<T>(what: string, step: Promise<T>): Promise<T> {
  const never = settle()
    .then(settle)
    .then(() => Promise.reject(new Error(`${what} never ends`)));
  return Promise.race([step, never]);
}

export interface Life {
  readonly found: Found;
  readonly clock: ManualClock;
  readonly wal: Wal;
  /** What was told to have failed: nothing may. */
  readonly failures: readonly Error[];
  /** The last turn that is durable. */
  readonly proven: number;
  append(turn: Turn): void;
  close(): Promise<void>;
}

/** Turns of one life, and what was proven of them. */
export class Appending {
  readonly #disk: RecordingDisk;
  turns: number;
  proven: number;

  constructor(disk: RecordingDisk) {
    this.#disk = disk;
    this.turns = 0;
    this.proven = 0;
  }

  append(wal: Wal, turn: Turn): void {
    this.#disk.tell({ kind: "turn", turn });
    this.turns += 1;
    const isUrgent = turn.promise > 0 || turn.records.some(({ kind }) => kind !== "chosen");
    wal.append(this.turns, turn.promise, turn.records, isUrgent);
  }

  onSynced(turns: number): void {
    this.proven = turns;
    this.#disk.tell({ kind: "proven", turns });
  }
}

interface Shown {
  readonly promised: Ballot;
  readonly chosenUpTo: Slot;
  readonly compactedUpTo: Slot;
  readonly accepted: readonly Accepted[];
  readonly learned: readonly ChosenEntry[];
  readonly faulty: readonly Faulty[];
}

const ALL_BYTES = 1 << 30;

/** Everything that a log shows, what is chosen read back. */
export async function describeLog(wal: Wal, shown: Shown): Promise<Pick<Found, "log" | "faulty">> {
  const lines: { readonly slot: Slot; readonly line: string }[] = [];
  const tell = (slot: Slot, ballot: Ballot | null, value: Uint8Array) =>
    lines.push({ slot, line: describeSlot(slot, ballot, value) });
  for (let at = shown.compactedUpTo + 1; at <= shown.chosenUpTo; ) {
    const entries = await wal.readChosen(at, ALL_BYTES);
    if (entries.length === 0) break;
    for (const { slot, value } of entries) tell(slot, null, value);
    at = entries.at(-1)!.slot + 1;
  }
  for (const { slot, value } of shown.learned) tell(slot, null, value);
  for (const { slot, ballot, value } of shown.accepted) tell(slot, ballot, value);
  lines.sort((a, b) => a.slot - b.slot);
  return {
    log: lines.map(({ line }) => line).join(" "),
    faulty: shown.faulty.map(({ from, to, ballot }) => `${from}-${to}@${ballot}`).join(" "),
  };
}

export interface LogLifeOptions {
  readonly segmentBytes: number;
  /** The slot of which a state is held elsewhere. */
  readonly held: Slot;
  /** The digit of which its disk's id would be made. */
  readonly digit: string;
}

/** The directory and the log alone. */
export class LogLife implements Life {
  readonly found: Found;
  readonly clock: ManualClock;
  readonly wal: Wal;
  readonly directory: DataDirectory;
  readonly failures: readonly Error[];
  readonly #appending: Appending;

  private constructor(
    found: Found,
    clock: ManualClock,
    wal: Wal,
    directory: DataDirectory,
    appending: Appending,
    failures: readonly Error[],
  ) {
    this.found = found;
    this.clock = clock;
    this.wal = wal;
    this.directory = directory;
    this.#appending = appending;
    this.failures = failures;
  }

  /** `between`: what is done before the log is opened. */
  static async start(
    disk: RecordingDisk,
    { segmentBytes, held, digit }: LogLifeOptions,
    between: (directory: DataDirectory) => Promise<void> = async () => {},
  ): Promise<LogLife> {
    disk.tell({ kind: "starting" });
    const directory = await DataDirectory.open(disk, {
      clusterId: clusterIdOf(CLUSTER),
      replica: SELF,
      randomHex: () => hexOf(digit, 16),
    });
    const { incarnation, diskId } = directory.identity;
    disk.tell({ kind: "started", incarnation, diskId });
    await between(directory);
    const clock = new ManualClock();
    const appending = new Appending(disk);
    const failures: Error[] = [];
    const { wal, recovered } = await Wal.open(disk, {
      segmentBytes,
      appliedUpTo: held,
      clock,
      onSynced: ({ turn }) => appending.onSynced(turn),
      onFailed: (error) => failures.push(error),
    });
    const { promised, chosenUpTo, compactedUpTo } = recovered;
    const found: Found = {
      incarnation,
      diskId,
      genesis: hex(directory.genesis),
      promised,
      compactedUpTo,
      held,
      ...(await describeLog(wal, recovered)),
      state: "",
      chosenUpTo,
    };
    disk.tell({ kind: "recovered", found });
    return new LogLife(found, clock, wal, directory, appending, failures);
  }

  get proven(): number {
    return this.#appending.proven;
  }

  append(turn: Turn): void {
    this.#appending.append(this.wal, turn);
  }

  close(): Promise<void> {
    return this.wal.close();
  }
}
