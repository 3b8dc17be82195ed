// The commands of a workload, the states that they lead to, and its machine in every life: volatile, or the KV store.
import type { Random } from "../../src/base/random.js";
import { encodeCommand } from "../../src/kv/codec.js";
import type { KvCommand } from "../../src/kv/commands.js";
import { MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import { compact, del, put } from "../../src/kv/requests-for-tests.js";
import type { Slot } from "../../src/paxos/ballot.js";
import { Sessions } from "../../src/paxos/sessions.js";
import { commandsOf } from "../../src/paxos/value.js";
import { SnapshotFiles } from "../../src/replica/snapshot-files.js";
import type { SnapshotInfo } from "../../src/replica/snapshot-format.js";
import { encodeMeta } from "../../src/replica/state-meta.js";
import { copyOf, kvMachine, Media, RecordedStore, volatileMachine } from "./machines.js";
import { recordingOf } from "./recording.js";
import { RecordingDisk } from "./recording-disk.js";
import type { MachineOfTest } from "./replica-life.js";
import { payload, type ValueOf, valueWith } from "./traffic.js";

/** No workload gets as far. */
const MOST_SLOTS = 100;
const MOST_PAYLOAD = 400;
const KEYS = 6;

/** A snapshot as a peer has it. */
export interface PeerSnapshot {
  readonly info: SnapshotInfo;
  readonly bytes: Uint8Array;
}

export interface MachineSet {
  readonly valueOf: ValueOf;
  /** The states after slot 0, 1, 2 and so on. */
  readonly states: readonly string[];
  /** For a life that is recorded, with a version of the store. */
  recorded(disk: RecordingDisk, version: number): Promise<MachineOfTest>;
  /** For lives that are not, one after the other. */
  from(version: number): () => Promise<MachineOfTest>;
  snapshotAt(slot: Slot): Promise<PeerSnapshot>;
}

async function machineSet(
  payloads: readonly Uint8Array[],
  fresh: () => Promise<MachineOfTest>,
  lives: Pick<MachineSet, "recorded" | "from">,
): Promise<MachineSet> {
  const values = payloads.map((bytes, at) => valueWith(at + 1, bytes));
  const one = await fresh();
  const states = [await one.describe()];
  for (let slot = 1; slot <= MOST_SLOTS; slot += 1) {
    execute(one, values[slot - 1]!, slot, new Sessions());
    states.push(await one.describe());
  }
  return {
    valueOf: (slot) => values[slot - 1]!,
    states,
    ...lives,
    async snapshotAt(slot) {
      const source = await fresh();
      const sessions = new Sessions();
      for (let at = 1; at <= slot; at += 1) execute(source, values[at - 1]!, at, sessions);
      const disk = new RecordingDisk(recordingOf(new Map()));
      const files = await SnapshotFiles.open(disk);
      const info = await files.write(slot, encodeMeta({ sessions, noted: null }), source.machine.snapshot());
      return { info, bytes: await files.read(info, 0, info.bytes) };
    },
  };
}

function execute({ machine }: MachineOfTest, value: Uint8Array, slot: Slot, sessions: Sessions): void {
  for (const command of commandsOf(value)) {
    if (sessions.execute(command)) machine.apply(machine.decode(command.payload), slot);
  }
}

export function volatileSet(random: Random): Promise<MachineSet> {
  const payloads = Array.from({ length: MOST_SLOTS }, () => payload(random, MOST_PAYLOAD));
  const fresh = async () => volatileMachine();
  return machineSet(payloads, fresh, { recorded: fresh, from: () => fresh });
}

export function kvSet(random: Random): Promise<MachineSet> {
  const media = new Media();
  const commands = Array.from({ length: MOST_SLOTS }, (_, at) => encodeCommand(drawCommand(random, at + 1)));
  return machineSet(commands, () => kvMachine(new MemoryRecordStore()), {
    recorded: (disk, version) => kvMachine(new RecordedStore(media.get(version), media, disk)),
    from(version) {
      let medium = media.get(version);
      return () => {
        medium = copyOf(medium);
        return kvMachine(new MemoryRecordStore(medium));
      };
    },
  });
}

function drawCommand(random: Random, slot: Slot): KvCommand {
  const key = `k${random.below(KEYS)}`;
  const kind = random.below(12);
  if (kind === 0) return compact(1 + random.below(slot));
  if (kind <= 2) return del(key);
  return put(key, "v".repeat(random.below(200)) + slot);
}
