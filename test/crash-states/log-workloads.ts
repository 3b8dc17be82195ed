// Workloads of the directory and the log: a first start, appends, promises, compaction, and starts that are cut short.
import { Random } from "../../src/base/random.js";
import type { Slot } from "../../src/paxos/ballot.js";
import { Facts } from "./fact.js";
import { LogLife, settle } from "./life.js";
import type { RecordingDisk } from "./recording-disk.js";
import { formed, NO_STATE, OWN, pause, recoverLog, type Scene, saveGenesis, type Workload } from "./scene.js";
import { payload, Traffic, type TrafficOptions, valueWith } from "./traffic.js";

/** The smallest segment and some more: most workloads fill several. */
const SEGMENT_BYTES = [2048, 2560, 4096] as const;
const MARK_MS = 10;
const MOST_VALUE = 900;

function drawSegment(random: Random): number {
  return SEGMENT_BYTES[random.below(SEGMENT_BYTES.length)]!;
}

/** Values by slot, the same whenever they are asked for. */
function drawValues(random: Random) {
  const values = new Map<Slot, Uint8Array>();
  return (slot: Slot) => {
    const value = values.get(slot) ?? valueWith(slot, payload(random, MOST_VALUE));
    values.set(slot, value);
    return value;
  };
}

interface LogScene {
  readonly random: Random;
  readonly turns: number;
  readonly promises: number;
  readonly segmentBytes: number;
  /** Of a turn. */
  readonly mostRecords?: number;
}

function trafficOptions({ random, promises, mostRecords = 4 }: LogScene): TrafficOptions {
  return { random, promises, valueOf: drawValues(random), mostRecords };
}

async function appendTurns(
  life: LogLife,
  traffic: Traffic,
  { random, turns }: LogScene,
  between: () => Promise<void> = async () => {},
): Promise<void> {
  for (let count = 0; count < turns; count += 1) {
    life.append(traffic.next().turn);
    await pause(random);
    if (random.below(6) === 0) life.clock.advance(MARK_MS);
    await between();
  }
  await settle();
  if (random.below(2) === 0) await life.close();
}

async function logScene(
  options: LogScene,
  live: (options: TrafficOptions, life: LogLife, disk: RecordingDisk) => Promise<void>,
): Promise<Scene> {
  const { segmentBytes } = options;
  const traffic = trafficOptions(options);
  return {
    beginning: await formed(segmentBytes),
    stateAfter: NO_STATE,
    async live(disk, version) {
      const life = await LogLife.start(disk, { segmentBytes, held: version, digit: OWN });
      await live(traffic, life, disk);
    },
    recover: (disk, version) => recoverLog(disk, version, segmentBytes),
  };
}

const firstStart: Workload = {
  name: "first-start",
  what: "identity, genesis, the copies of the promise, the first segment, in an empty directory",
  // Also of a directory of which the first start was cut short.
  earlierLives: (random) => random.below(3),
  async make(random) {
    const segmentBytes = drawSegment(random);
    // The same turn every time: what differs is where the lives end.
    const same = () => trafficOptions({ random: new Random(1), turns: 0, promises: 1, segmentBytes });
    return {
      beginning: { image: new Map(), version: 0, facts: new Facts() },
      stateAfter: NO_STATE,
      async live(disk) {
        const life = await LogLife.start(disk, { segmentBytes, held: 0, digit: OWN }, async (directory) => {
          if (directory.genesis === null) await saveGenesis(disk, directory);
        });
        life.append(new Traffic(same(), life.found).next().turn);
        await settle();
        await life.close();
      },
      recover: (disk, version) => recoverLog(disk, version, segmentBytes),
    };
  },
};

const append: Workload = {
  name: "append",
  what: "batches of votes, learned values and watermarks, marks, from one segment to the next",
  earlierLives: () => 0,
  make(random) {
    const turns = 6 + random.below(8);
    // Batches of many sectors, too: those that are larger than a segment get one of their own.
    const mostRecords = 4 + 8 * random.below(2);
    const scene = { random, turns, promises: 8, segmentBytes: drawSegment(random), mostRecords };
    return logScene(scene, (options, life) => appendTurns(life, new Traffic(options, life.found), scene));
  },
};

const promise: Workload = {
  name: "promise",
  what: "promises, alone and along with votes, in two copies",
  earlierLives: (random) => random.below(2),
  make(random) {
    const scene = { random, turns: 6 + random.below(6), promises: 1, segmentBytes: drawSegment(random) };
    return logScene(scene, (options, life) =>
      appendTurns(life, new Traffic({ ...options, mostRecords: 1 }, life.found), scene),
    );
  },
};

const restart: Workload = {
  name: "restart",
  what: "starts that write the unproven end of the log again, cut short by the next one, up to three in a row",
  earlierLives: (random) => 1 + random.below(3),
  make(random) {
    const scene = { random, turns: 3 + random.below(5), promises: 8, segmentBytes: drawSegment(random) };
    return logScene(scene, async (options, life) => {
      // Most of them end in the course of their start.
      if (random.below(3) === 0) return;
      await appendTurns(life, new Traffic(options, life.found), {
        ...scene,
        turns: 1 + random.below(scene.turns),
      });
    });
  },
};

const compaction: Workload = {
  name: "compaction",
  what: "the log is compacted up to what is held elsewhere, its leading segments go",
  earlierLives: (random) => random.below(2),
  make(random) {
    const scene = { random, turns: 8 + random.below(8), promises: 12, segmentBytes: 2048 };
    return logScene(scene, async (options, life, disk) => {
      const traffic = new Traffic(options, life.found);
      await appendTurns(life, traffic, scene, () => compactSome(life, disk, random));
    });
  },
};

/** The state of what is chosen according to the log on disk is held from now on; some of it goes from the log. */
const compactSome = async (life: LogLife, disk: RecordingDisk, random: Random): Promise<void> => {
  const { wal } = life;
  const held = wal.syncedChosenUpTo;
  if (held === 0 || random.below(2) === 0) return;
  const stored = disk.storing();
  await Promise.resolve();
  stored(held);
  disk.tell({ kind: "held", slot: held });
  const tail = random.below(2) * 2048;
  const upTo = random.below(2) === 0 ? wal.compactable(held, tail) : 1 + random.below(held);
  if (upTo <= wal.compactedUpTo) return;
  disk.tell({ kind: "compacting", upTo });
  const compacted = wal.compact(upTo).then(() => disk.tell({ kind: "compacted", upTo }));
  if (random.below(2) === 0) await compacted;
};

export const LOG_WORKLOADS: readonly Workload[] = [firstStart, append, promise, restart, compaction];
