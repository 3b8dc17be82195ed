// Directories, made and synced. Rule: before anything in a directory is relied on its name is on the disk, and those of
// all directories that lead to it: a power loss that took one would take the promise and all that was acknowledged, and
// the next start would be that of a new, empty replica under an old id.
import { constants } from "node:fs";
import { lstat, mkdir, open, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isNoSpace } from "../base/no-space.js";
import { DataDirectoryError } from "../wal/data-directory-error.js";

/**
 * Makes the directory unless it is there, with those above it that are missing; the names of all are durable when it
 * resolves. Rejects with `DataDirectoryError` where they cannot be, before anything is made, or with what `mkdir` says.
 */
export async function makeDirectory(path: string): Promise<void> {
  const full = resolve(path);
  const there = await deepestThere(full);
  // The first new name will be in it: where that cannot be synced, the next start would find a directory to trust.
  if (there !== full) await syncFor(full, there, false);
  await mkdir(full, { recursive: true, mode: 0o700 });
  // A link is a name as well, and where it leads has others.
  for (const way of new Set([full, await realpath(full)])) await syncWay(way);
}

/**
 * Syncs all directories above `way`, also when it was there before: a life that made it, or who made it for this
 * process, may have ended before that, and to sync what is durable is cheap beside a start. Another file system has
 * its own ways to be found.
 */
async function syncWay(way: string): Promise<void> {
  for (let at = way, above = dirname(at); above !== at; at = above, above = dirname(at)) {
    if ((await lstat(at)).dev !== (await stat(above)).dev) return;
    await syncFor(way, above, true);
  }
}

/** `isOthers`: where this process may not look, whoever has made the names in it looks after them. */
async function syncFor(path: string, above: string, isOthers: boolean): Promise<void> {
  try {
    await syncDirectory(above);
  } catch (error) {
    if (isNoSpace(error)) throw error;
    if (isOthers && isNotAllowed(error)) return;
    const advice = isNotAllowed(error)
      ? `let this process read it, or make ${path} before it starts`
      : "give a directory on another file system";
    throw new DataDirectoryError(
      `${above} cannot be synced (${(error as NodeJS.ErrnoException).code}), and a power loss might take ${path}, with all ` +
        `that will be in it: ${advice}`,
      { cause: error },
    );
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The directory itself, or the first above it that is there. */
async function deepestThere(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await stat(at);
      return at;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(at) === at) throw error;
    }
  }
}

function isNotAllowed(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EACCES" || code === "EPERM";
}
