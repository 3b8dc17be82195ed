// Whether a file is lmdb's: lmdb ends the whole process when it opens one that is not, so that is found out before.
import { open } from "node:fs/promises";
import { join } from "node:path";
import { StoreCorrupt } from "../kv/record-store.js";

/** What each of lmdb's two meta pages has at this place, little-endian. */
const META_MAGIC = 0xbeefc0de;
const META_MAGIC_AT = 24;
const META_PAGE_SIZE_AT = 48;
/** Throws `StoreCorrupt`. A directory without a file, or with an empty one, is a new store. */
export async function assertIsLmdb(directory: string): Promise<void> {
  const path = join(directory, "data.mdb");
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    const head = Buffer.alloc(256);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    if (bytesRead === 0) return;
    const second = Buffer.alloc(4);
    await file.read(second, 0, 4, head.readUInt32LE(META_PAGE_SIZE_AT) + META_MAGIC_AT);
    if (head.readUInt32LE(META_MAGIC_AT) === META_MAGIC && second.readUInt32LE(0) === META_MAGIC) return;
  } finally {
    await file.close();
  }
  throw new StoreCorrupt(
    `${path} is damaged, or no store at all: set its directory aside, it will be rebuilt`,
  );
}
