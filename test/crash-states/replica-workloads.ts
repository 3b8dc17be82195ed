// Workloads of everything that a replica opens: a volatile machine with its snapshots, one that takes its state from a
// peer's snapshot, and the KV store with its records beside the log.
import type { Random } from "../../src/base/random.js";
import { settle } from "./life.js";
import { kvSet, type MachineSet, type PeerSnapshot, volatileSet } from "./machine-sets.js";
import type { RecordingDisk } from "./recording-disk.js";
import { type MachineOfTest, ReplicaLife } from "./replica-life.js";
import { ANOTHER, formed, OWN, pause, type Scene, type Started, type Workload } from "./scene.js";
import { Traffic } from "./traffic.js";

const SEGMENT_BYTES = 2048;
/** Bytes of commands from one commit of a volatile machine to the next; a snapshot's length, if that is more. */
const SNAPSHOT_BYTES = 400;
/** After it a batch gets its mark, and the store is committed. */
const PAUSE_MS = 100;
const PEER = 2;

interface ReplicaScene {
  readonly random: Random;
  readonly machines: MachineSet;
  readonly tailBytes: number;
}

type Drive = (life: ReplicaLife, traffic: Traffic, disk: RecordingDisk) => Promise<void>;

async function replicaScene({ random, machines, tailBytes }: ReplicaScene, drive: Drive): Promise<Scene> {
  const { states } = machines;
  const options = { segmentBytes: SEGMENT_BYTES, snapshotBytes: SNAPSHOT_BYTES, tailBytes };
  const traffic = { random, valueOf: machines.valueOf, promises: 12, mostRecords: 4 };
  const recover = async (disk: RecordingDisk, next: () => Promise<MachineOfTest>): Promise<Started> => {
    const life = await ReplicaLife.start(disk, await next(), { ...options, digit: ANOTHER });
    return { life, again: (later) => recover(later, next) };
  };
  return {
    beginning: await formed(SEGMENT_BYTES),
    stateAfter: (slot) => states[slot] ?? "beyond what was ever executed",
    async live(disk, version) {
      const machine = await machines.recorded(disk, version);
      const life = await ReplicaLife.start(disk, machine, { ...options, digit: OWN });
      await drive(life, new Traffic(traffic, life.found), disk);
      await settle();
      if (random.below(2) === 0) await life.close();
    },
    recover: (disk, version) => recover(disk, machines.from(version)),
  };
}

async function appendTurns(
  life: ReplicaLife,
  traffic: Traffic,
  random: Random,
  turns: number,
): Promise<void> {
  for (let count = 0; count < turns; count += 1) {
    traffic.jump(life.appliedUpTo);
    const { turn, chosen } = traffic.next();
    life.append(turn);
    life.execute(chosen);
    await pause(random);
    if (random.below(4) === 0) life.pass(PAUSE_MS);
  }
}

const snapshots: Workload = {
  name: "snapshots",
  what: "a volatile machine is written to snapshots, older ones are removed, the log is compacted",
  earlierLives: (random) => random.below(2),
  async make(random) {
    const scene = { random, machines: await volatileSet(random), tailBytes: random.below(2) * 2048 };
    const turns = 14 + random.below(12);
    return replicaScene(scene, (life, traffic) => appendTurns(life, traffic, random, turns));
  },
};

/** Answers what `life` asks for, piece by piece, until it has the state; turns go on meanwhile. */
async function fetchSnapshot(
  life: ReplicaLife,
  traffic: Traffic,
  disk: RecordingDisk,
  random: Random,
  { info, bytes }: PeerSnapshot,
): Promise<void> {
  disk.tell({ kind: "offered", slot: info.slot });
  disk.tell({ kind: "compacting", upTo: info.slot });
  life.transfer.onMessage(PEER, { kind: "snapshotOffer", ...info });
  for (let tries = 0; tries < 40 && life.appliedUpTo < info.slot; tries += 1) {
    await settle();
    const asked = life.sent.splice(0).at(-1);
    if (asked?.kind !== "snapshotRequest") continue;
    const data = bytes.subarray(asked.offset, asked.offset + 200 + random.below(900));
    life.transfer.onMessage(PEER, { kind: "snapshotChunk", ...info, offset: asked.offset, data });
    if (random.below(3) === 0) await appendTurns(life, traffic, random, 1);
  }
}

const installing: Workload = {
  name: "installing",
  what: "a snapshot is received in pieces, over several lives, and its state installed in the place of the own",
  earlierLives: (random) => random.below(3),
  async make(random) {
    const machines = await (random.below(2) === 0 ? volatileSet(random) : kvSet(random));
    const snapshot = await machines.snapshotAt(8 + random.below(10));
    const turns = random.below(5);
    return replicaScene({ random, machines, tailBytes: 0 }, async (life, traffic, disk) => {
      await appendTurns(life, traffic, random, turns);
      await fetchSnapshot(life, traffic, disk, random, snapshot);
      await appendTurns(life, traffic, random, turns);
    });
  },
};

const store: Workload = {
  name: "store",
  what: "the KV store commits its records and checkpoints of its index beside the log, which is compacted",
  earlierLives: (random) => random.below(2),
  async make(random) {
    const scene = { random, machines: await kvSet(random), tailBytes: random.below(2) * 2048 };
    const turns = 10 + random.below(12);
    return replicaScene(scene, (life, traffic) => appendTurns(life, traffic, random, turns));
  },
};

export const REPLICA_WORKLOADS: readonly Workload[] = [snapshots, installing, store];
