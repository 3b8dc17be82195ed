// Data directories of today's formats, small and always the same to the byte: what `test/golden/format` holds.
import { crc32 } from "../../src/base/crc32.js";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { makeRestored } from "../../src/wal/identity.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";
import { MemoryCluster } from "../support/memory-cluster.js";

export const SEGMENT_BYTES = 4096;
/** Within four election timeouts a damaged replica counts again. */
const HEALED_MS = 2000;

/** Keeps the last three. */
function notes() {
  return jsonMachine({
    initial: { notes: [] as string[] },
    apply(state, note: string) {
      state.notes = [...state.notes, note].slice(-3);
    },
    query: (state, _query: "all") => state.notes.join(" "),
  });
}

export function clusterOf(replicas: number, makeDisk?: (id: number) => MemoryDisk) {
  return new MemoryCluster({
    replicas,
    machine: notes,
    seed: 7,
    segmentBytes: SEGMENT_BYTES,
    tailBytes: 0,
    snapshotBytes: 300,
    ...(makeDisk === undefined ? {} : { makeDisk }),
  });
}

/** One replica, stopped in good order after two lives: a log that is compacted, and two snapshots. */
async function compacted(): Promise<MemoryDisk> {
  const cluster = clusterOf(1);
  for (const life of [1, 2]) {
    await cluster.startAll();
    for (let i = 0; i < 40; i += 1) {
      await cluster.clock.settle(cluster.replica(1).propose(`life ${life}, note ${i}`));
    }
    await cluster.clock.settle(cluster.replica(1).close());
  }
  return cluster.disks.get(1)!.copy();
}

/** A follower of three, whose power failed: votes, watermarks, no orderly end, nothing compacted. */
async function killed(): Promise<MemoryDisk> {
  const cluster = clusterOf(3);
  await cluster.startAll();
  const leader = await cluster.leader();
  for (const note of ["one", "two", "three"])
    await cluster.clock.settle(cluster.replica(leader).propose(note));
  await cluster.level();
  const id = await cluster.follower();
  const disk = cluster.disks.get(id)!;
  await cluster.crash(id, false);
  const image = disk.copy();
  await cluster.closeAll();
  return image;
}

/** The same, as a version wrote it that had no compaction: its promise files end after the segments. */
async function killedFormat1(): Promise<MemoryDisk> {
  const disk = await killed();
  for (const name of ["promise-a", "promise-b"]) {
    const bytes = disk.bytesOf(name).slice();
    const view = new DataView(bytes.buffer);
    view.setUint32(8, 1, true);
    bytes.fill(0, 28);
    view.setUint32(4, crc32(bytes, 0, 8), true);
    disk.put(name, bytes);
  }
  return disk;
}

/** A follower whose log lost its end while it was down, and whom a leader has told since what is empty (A8). */
async function voided(): Promise<MemoryDisk> {
  const cluster = clusterOf(3);
  await cluster.startAll();
  await cluster.clock.settle(cluster.replica(await cluster.leader()).propose("one"));
  await cluster.level();
  const id = await cluster.follower();
  const disk = cluster.disks.get(id)!;
  await cluster.crash(id, false);
  const log = disk.bytesOf("log-0000000001");
  const end = Math.ceil((log.findLastIndex((byte) => byte !== 0) + 1) / 512) * 512;
  log.fill(0xd7, end - 512, end);
  await cluster.start(id);
  const healed = cluster.clock.now() + HEALED_MS;
  await cluster.clock.until(() => cluster.clock.now() >= healed);
  for (const note of ["two", "three"])
    await cluster.clock.settle(cluster.replica(await cluster.leader()).propose(note));
  await cluster.level();
  await cluster.crash(id, false);
  const image = disk.copy();
  await cluster.closeAll();
  return image;
}

/** As a backup of slot 9 was restored into it, never started yet; its store is another golden file. */
async function restored(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const restored = { slot: 9, sum: "0123456789abcdef".repeat(4) };
  const whose = { clusterId: "00000000deadbeef", replica: 2, diskId: "fedcba9876543210".repeat(2) };
  await makeRestored(disk, { ...whose, restored });
  return disk.copy();
}

/** By the name of the golden directory. */
export const DIRECTORIES: Readonly<Record<string, () => Promise<MemoryDisk>>> = {
  compacted,
  killed,
  "killed-promise-1": killedFormat1,
  restored,
  voided,
};
