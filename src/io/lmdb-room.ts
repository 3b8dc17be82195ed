// Room for the files that lmdb makes of a new store. Rule: it is there before lmdb opens them, for lmdb ends the whole
// process when the disk has no room for its lock file, which it maps, or for the first pages of its data.
import { mkdir, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** As much as lmdb wants of it, rounded up; of a longer one it uses all. */
const LOCK_BYTES = 16 << 10;
/** More than the first pages of the largest page size there is. */
const DATA_BYTES = 192 << 10;

/** Makes the directory, too. Rejects as the system does where there is no room, and leaves no part of a file then. */
export async function makeRoomForFiles(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock = join(directory, "lock.mdb");
  if (await isEmpty(lock)) await writeZeros(lock, LOCK_BYTES);
  if (!(await isEmpty(join(directory, "data.mdb")))) return;
  const room = join(directory, "room");
  await writeZeros(room, DATA_BYTES);
  await rm(room);
}

async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}

async function writeZeros(path: string, bytes: number): Promise<void> {
  try {
    const file = await open(path, "w", 0o600);
    try {
      await file.writeFile(Buffer.alloc(bytes));
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}
