// What can be told of a store's file before lmdb opens it, for lmdb ends the whole process when it opens one that is
// not its own, and when it reads a page that the file does not reach to.
import { open } from "node:fs/promises";
import { join } from "node:path";
import { StoreCorrupt } from "../kv/record-store.js";

/** Address space, not memory or disk: the largest store there can be. */
export const MAP_BYTES = 64 * 2 ** 30;

/** What each of lmdb's two meta pages has at these places, little-endian. */
const META_MAGIC = 0xbeefc0de;
const META_MAGIC_AT = 24;
/** Of the format of the file; a new one comes with a new version of the package. */
const META_VERSION = 2;
const META_VERSION_AT = 28;
const META_PAGE_SIZE_AT = 48;
const META_LAST_PAGE_AT = 144;
const META_BYTES = 152;

/** Null: a directory without a file, or with an empty one, which is a new store. */
async function metasOf(directory: string): Promise<{ metas: readonly Buffer[]; size: number } | null> {
  const path = join(directory, "data.mdb");
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new StoreCorrupt(`${path} is no file`);
    const { size } = found;
    if (size === 0) return null;
    const first = Buffer.alloc(META_BYTES);
    await file.read(first, 0, META_BYTES, 0);
    const second = Buffer.alloc(META_BYTES);
    await file.read(second, 0, META_BYTES, first.readUInt32LE(META_PAGE_SIZE_AT));
    const metas = [first, second];
    if (metas.every(isMeta)) return { metas, size };
  } finally {
    await file.close();
  }
  throw new StoreCorrupt(`${path} is damaged, or no store at all`);
}

function isMeta(page: Buffer): boolean {
  return (
    page.readUInt32LE(META_MAGIC_AT) === META_MAGIC && page.readUInt32LE(META_VERSION_AT) === META_VERSION
  );
}

/** Throws `StoreCorrupt`. */
export async function assertIsLmdb(directory: string): Promise<void> {
  await metasOf(directory);
}

/** Whether the file ends before the last page that it counts: to read that page would be the end of the process. */
export async function isCutShort(directory: string): Promise<boolean> {
  const found = await metasOf(directory);
  if (found === null) return false;
  const pageBytes = found.metas[0]!.readUInt32LE(META_PAGE_SIZE_AT);
  return found.metas.some(
    (meta) => (Number(meta.readBigUInt64LE(META_LAST_PAGE_AT)) + 1) * pageBytes > found.size,
  );
}
