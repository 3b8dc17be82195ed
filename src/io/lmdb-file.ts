// What can be told of a store's file before lmdb opens it, for lmdb ends the whole process when it opens one that is
// not its own, and when it reads a page that the file does not reach to. Rule: one of another version of lmdb is not
// damaged.
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { isIoError, readAgain } from "../base/io-error.js";
import { StoreCorrupt, UnknownStoreFormat } from "../kv/record-store.js";

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
/** Where the second one may be when the first does not say how large a page is. */
const PAGE_SIZES = [4_096, 8_192, 16_384, 32_768, 65_536];

interface Metas {
  readonly metas: readonly Buffer[];
  /** Of the file. */
  readonly size: number;
}

/** Null: a directory without a file, or with an empty one, which is a new store. */
async function metasOf(directory: string): Promise<Metas | null> {
  const path = join(directory, "data.mdb");
  try {
    return await readAgain(() => metasIn(path));
  } catch (error) {
    // A read that lmdb makes of it would be the end of the process.
    if (isIoError(error)) throw new StoreCorrupt(`${path} cannot be read (EIO)`, { cause: error });
    throw error;
  }
}

async function metasIn(path: string): Promise<Metas | null> {
  let file: FileHandle;
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
    const metas = await readMetas(file);
    if (metas.every(isMeta)) return { metas, size };
    const version = otherVersionOf(metas);
    if (version !== null) {
      throw new UnknownStoreFormat(
        `the file of the store has format ${version} of lmdb, this version knows ${META_VERSION}: start a version that ` +
          "knows it",
      );
    }
  } finally {
    await file.close();
  }
  throw new StoreCorrupt(`${path} is damaged, or no store at all`);
}

/** Both, in their places; zeros where the file ends before. */
async function readMetas(file: FileHandle): Promise<readonly Buffer[]> {
  const at = async (position: number) => {
    const meta = Buffer.alloc(META_BYTES);
    await file.read(meta, 0, META_BYTES, position);
    return meta;
  };
  const first = await at(0);
  if (hasMagic(first)) return [first, await at(first.readUInt32LE(META_PAGE_SIZE_AT))];
  for (const position of PAGE_SIZES) {
    const second = await at(position);
    if (hasMagic(second)) return [first, second];
  }
  return [first];
}

function hasMagic(page: Buffer): boolean {
  return page.readUInt32LE(META_MAGIC_AT) === META_MAGIC;
}

function versionOf(page: Buffer): number {
  return page.readUInt32LE(META_VERSION_AT);
}

function isMeta(page: Buffer): boolean {
  return hasMagic(page) && versionOf(page) === META_VERSION;
}

/** What all say that can be read; null: this version, or not the same, for then a bit of one of them has flipped. */
function otherVersionOf(metas: readonly Buffer[]): number | null {
  const [version, ...others] = new Set(metas.filter(hasMagic).map(versionOf));
  return version === undefined || version === META_VERSION || others.length > 0 ? null : version;
}

/** Throws `StoreCorrupt`, or `UnknownStoreFormat`. */
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
