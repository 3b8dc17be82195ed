// Clusters in memory of which some states go wrong, for tests of how that is noticed and healed.
import assert from "node:assert/strict";
import { jsonMachine } from "../../src/machine/json-machine.js";
import type { Disk } from "../../src/wal/disk.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import { MemoryCluster } from "./memory-cluster.js";

/** Slots from one digest to the next. */
export const INTERVAL = 8;

interface Put {
  readonly key: number;
  readonly text: string;
}

/** `rotten`: replicas whose next commands go wrong. */
export function newCluster(
  replicas: number,
  rotten: Set<number>,
  seed = 1,
  view: (id: number, disk: MemoryDisk) => Disk = (_id, disk) => disk,
) {
  return new MemoryCluster({
    replicas,
    seed,
    view,
    digestInterval: INTERVAL,
    segmentBytes: 1 << 18,
    tailBytes: 0,
    snapshotBytes: 1 << 18,
    machine: (id) =>
      jsonMachine({
        initial: { keys: {} as Record<number, string>, count: 0 },
        apply: (state, { key, text }: Put) => {
          state.keys[key] = rotten.has(id) ? `${text} of ${rotten.has(0) ? 0 : id}` : text;
          state.count += 1;
          return state.count;
        },
        query: (state, _query: "state") => JSON.stringify(state),
      }),
  });
}

type Cluster = ReturnType<typeof newCluster>;

export async function put(c: Cluster, at: number, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await c.clock.settle(c.replica(at).propose({ key: i % 20, text: `${i} `.padEnd(400, "x") }));
  }
}

export function isFenced(c: Cluster, id: number): boolean {
  return c.replica(id).status().isFenced;
}

export function fences(c: Cluster, id: number): number {
  return c.replica(id).status().counters.fences ?? 0;
}

export async function assertSame(c: Cluster, ids: readonly number[]): Promise<void> {
  await c.level();
  const states = await Promise.all(ids.map((id) => c.replica(id).read("state", { local: true })));
  for (const state of states) assert.ok(state === states[0], "states differ");
}

/** One command goes wrong at `ids`, then so many are put that the next digest is noted. */
export async function rot(
  c: Cluster,
  rotten: Set<number>,
  ids: readonly number[],
  at: number,
): Promise<void> {
  await c.level();
  for (const id of ids) rotten.add(id);
  // No later put heals it.
  await c.clock.settle(c.replica(at).propose({ key: 100, text: "goes wrong" }));
  await c.level();
  rotten.clear();
  await put(c, at, INTERVAL);
}
