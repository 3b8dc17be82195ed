// The snapshot files of a data directory: each first sector, and, where all is to be checked, every frame.
import { PUT_ASIDE } from "../../replica/broken-snapshots.js";
import {
  decodeFirstSector,
  FORMAT,
  FrameWalk,
  SECTOR,
  type SnapshotInfo,
} from "../../replica/snapshot-format.js";
import type { Disk } from "../../wal/disk.js";
import { readPart } from "../../wal/unreadable.js";
import type { Inspection, SnapshotFacts } from "./inspection.js";

const NAME = /^snapshot-(\d{16})$/;
const LEFT_OVER: readonly [RegExp, string][] = [
  [/^snapshot-\d{16}\.new$/, "a snapshot whose writing was not finished; the next start removes it"],
  [
    /^snapshot-\d{16}\.part$/,
    "a snapshot that was being received; the next start goes on with it, or removes it",
  ],
  [PUT_ASIDE, "a snapshot that was found damaged and put aside; it may be removed"],
  [
    /^snapshot-\d{16}\.diverged$/,
    "a state that was not that of the majority, kept to be looked at; it may be removed",
  ],
  [/^(identity|genesis|diverged|reserve)\.new$/, "a file whose writing was not finished; it is never read"],
];

/** `isMachine`: the state of the machine is in them, and not in a store. */
export async function inspectSnapshots(
  disk: Disk,
  found: Inspection,
  isMachine: boolean,
  isDeep: boolean,
): Promise<void> {
  const snapshots: SnapshotFacts[] = [];
  for (const name of await disk.list()) {
    const text = LEFT_OVER.find(([pattern]) => pattern.test(name))?.[1];
    if (text !== undefined) found.leftOver.push({ file: name, offset: null, text });
    const slot = Number(NAME.exec(name)?.[1] ?? -1);
    if (slot < 0) continue;
    const { bytes, fault } = await look(disk, name, slot, isDeep);
    snapshots.push({ name, slot, bytes, isWhole: fault === null });
    if (fault !== null)
      found.find(name, fault.offset, `${fault.text}${fault.isDamage ? meaning(isMachine) : ""}`);
  }
  found.snapshots = snapshots;
}

function meaning(isMachine: boolean): string {
  return isMachine
    ? "; the next start puts it aside and takes the one before with the log after it, or the state of another member"
    : "; it is put aside when it is used, and another one is made for whoever needs it";
}

interface Fault {
  readonly offset: number;
  readonly text: string;
  readonly isDamage: boolean;
}

async function look(
  disk: Disk,
  name: string,
  slot: number,
  isDeep: boolean,
): Promise<{ readonly bytes: number; readonly fault: Fault | null }> {
  const file = await disk.open(name, false);
  try {
    const bytes = await file.size();
    const damage = (offset: number, text: string) => ({ bytes, fault: { offset, text, isDamage: true } });
    const first = decodeFirstSector(await readPart(file, 0, SECTOR));
    if (first === null) return damage(0, "the first sector does not fit its checksum");
    if (first.format !== FORMAT) {
      const text = `it has format ${first.format}, this version knows ${FORMAT}: start a version that knows it`;
      return { bytes, fault: { offset: 8, text, isDamage: false } };
    }
    if (!first.isWhole)
      return damage(0, "it is one that is still being received, under the name of a whole one");
    if (first.slot !== slot) return damage(12, `it is the snapshot of slot ${first.slot}`);
    if (first.bytes !== bytes) return damage(20, `it has ${bytes} bytes and says ${first.bytes}`);
    const at = isDeep ? await firstBadFrame(new FrameWalk(file, bytes), first) : null;
    return at === null
      ? { bytes, fault: null }
      : damage(at, "no whole frame, or not the one that belongs here");
  } finally {
    await file.close();
  }
}

/** Where it begins; null: all are whole, and together what the first sector says. */
async function firstBadFrame(walk: FrameWalk, info: SnapshotInfo): Promise<number | null> {
  while (walk.position < info.bytes) {
    const { position } = walk;
    if ((await walk.next()) === null) return position;
  }
  return walk.isAt(info) ? null : SECTOR;
}
