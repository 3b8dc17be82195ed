// The grid of snapshots: three volatile replicas with the same snapshot, in four frames, and logs that begin after the
// first slots, so that nothing but it has what they led to; then bits of frames are flipped, as a combination says.
import assert from "node:assert/strict";
import { concatBytes } from "../../src/base/bytes.js";
import { Random } from "../../src/base/random.js";
import {
  addToSum,
  decodeFirstSector,
  encodeFirstSector,
  FRAME_HEAD,
  type FrameKind,
  FrameWalk,
  LAST,
  META,
  payloadOf,
  SECTOR,
  STATE,
  sealFrame,
  wholeSector,
} from "../../src/replica/snapshot-format.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import { compactedUpToOf } from "../../src/wal/open-log.js";
import { isDamaged, lostParts, PARTS, REPLICAS } from "./combination.js";
import { copyOf, type Disks, type History, type Outcome, Trial } from "./trial.js";

/**
 * What else is wrong: nothing; the first sector, which says what the file is, at all replicas but one; or everyone has
 * a newer snapshot too, of which no frame is whole.
 */
export type SnapshotPlight = "frames" | "first sector" | "newer one";

interface Written {
  readonly disks: Disks;
  readonly texts: readonly string[];
  readonly name: string;
  readonly slot: number;
  /** Where the frames begin, and the file ends. */
  readonly edges: readonly number[];
}

const TEXTS = Array.from({ length: 120 }, (_, i) => `entry ${i + 1} `.padEnd(500, "."));
const QUIET_MS = 400;
const SNAPSHOT = /^snapshot-\d+$/;

export class SnapshotGrid {
  readonly #written: Written;
  readonly #plight: SnapshotPlight;

  private constructor(written: Written, plight: SnapshotPlight) {
    this.#written = written;
    this.#plight = plight;
  }

  static async make(plight: SnapshotPlight): Promise<SnapshotGrid> {
    return new SnapshotGrid(await write(), plight);
  }

  effect(combination: number): number {
    return combination;
  }

  try(combination: number): Promise<Outcome> {
    const { name, edges } = this.#written;
    const disks = copyOf(this.#written.disks);
    const random = new Random(combination);
    for (const [id, disk] of disks) {
      for (const part of PARTS)
        if (isDamaged(combination, id, part))
          flip(disk.bytesOf(name), edges[part]!, edges[part + 1]!, random);
      if (this.#plight === "first sector" && id !== 1 + (combination % REPLICAS.length))
        flip(disk.bytesOf(name), 0, SECTOR, random);
      if (this.#plight === "newer one") putNewer(disk, this.#written);
    }
    return new Trial(disks).run(this.#history(combination));
  }

  #history(combination: number): History {
    const { texts, slot, edges } = this.#written;
    const lost = lostParts(combination);
    if (lost.length === 0) return { texts, loss: null };
    const brokenAt = (part: number, ofSlot: number) =>
      `no replica that can be reached has bytes ${edges[part]} and following of the snapshot of slot ${ofSlot} `;
    const alarms = [brokenAt(lost[0]!, slot), brokenAt(0, slot + 1)] as const;
    return { texts, loss: { safe: 0, slot: 1, isKnown: true, alarms } };
  }
}

function flip(bytes: Uint8Array, from: number, to: number, random: Random): void {
  bytes[from + random.below(to - from)]! ^= 1 << random.below(8);
}

async function write(): Promise<Written> {
  const { cluster } = new Trial(new Map(), { snapshotBytes: 1, tailBytes: 0 });
  await cluster.startAll();
  const leader = await cluster.leader();
  for (const text of TEXTS) await cluster.clock.settle(cluster.replica(leader).propose(text));
  await cluster.clock.pass(QUIET_MS);
  for (const id of REPLICAS) await cluster.crash(id, false);
  const disks = cluster.disks;
  const names = REPLICAS.flatMap((id) =>
    disks
      .get(id)!
      .names()
      .filter((name) => SNAPSHOT.test(name)),
  );
  const name = names.sort().at(-1)!;
  const whole = [...disks.values()].find((disk) => disk.has(name))!;
  const { bytes, edges, slot } = await inFourFrames(whole, name);
  for (const disk of disks.values()) {
    assert.ok((await compactedUpToOf(disk)) > 0, "the log does not reach back");
    assert.ok(slot < TEXTS.length, "the log goes on after the snapshot");
    for (const other of disk.names()) if (SNAPSHOT.test(other)) await disk.remove(other);
    disk.put(name, bytes);
  }
  return { disks, texts: TEXTS, name, slot, edges };
}

/** The same state in frames of its own: a frame may be smaller than those that a replica writes. */
async function inFourFrames(disk: MemoryDisk, name: string) {
  const file = await disk.open(name, false);
  const first = decodeFirstSector(await file.read(0, SECTOR))!;
  const walk = new FrameWalk(file, first.bytes);
  const meta: Uint8Array[] = [];
  const state: Uint8Array[] = [];
  for (let frame = await walk.next(); frame !== null; frame = await walk.next())
    (frame.kind === META ? meta : state).push(payloadOf(frame).slice());
  const all = concatBytes(state);
  const third = Math.floor(all.length / 3);
  const payloads: readonly [FrameKind, Uint8Array][] = [
    [META, concatBytes(meta)],
    [STATE, all.subarray(0, third)],
    [STATE, all.subarray(third, 2 * third)],
    [LAST, all.subarray(2 * third)],
  ];
  return fileOf(first.slot, payloads);
}

function fileOf(slot: number, payloads: readonly (readonly [FrameKind, Uint8Array])[]) {
  const frames = payloads.map(([kind, payload], number) => {
    const frame = concatBytes([new Uint8Array(FRAME_HEAD), payload]);
    sealFrame(frame, kind, number);
    return frame;
  });
  const edges = [SECTOR];
  for (const frame of frames) edges.push(edges.at(-1)! + frame.length);
  const info = { slot, bytes: edges.at(-1)!, sum: frames.reduce(addToSum, 0) };
  return {
    bytes: concatBytes([encodeFirstSector(wholeSector(info, frames.length)), ...frames]),
    edges,
    slot,
  };
}

/** Its first sector says what it was, and nothing else of it is as it was. */
function putNewer(disk: MemoryDisk, { name, slot, edges }: Written): void {
  const bytes = disk.bytesOf(name).slice();
  const first = decodeFirstSector(bytes.subarray(0, SECTOR))!;
  bytes.set(encodeFirstSector({ ...first, slot: slot + 1 }));
  for (const edge of edges.slice(0, -1)) bytes[edge + 1]! ^= 0xff;
  disk.put(name.replace(/\d+$/, String(slot + 1).padStart(16, "0")), bytes);
}
