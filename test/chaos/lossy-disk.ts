// Compiles lossy-disk.c and bad-sectors.c, and gives the environment with which a process is watched by it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { TABLE_BYTES } from "./bad-sectors.js";
import type { WatchedDirectory } from "./crash-image.js";

/** `dist/test/chaos/` is three levels below the checkout; what is compiled from C is not there. */
const SOURCES = resolve(dirname(fileURLToPath(import.meta.url)), "../../../test/chaos");

/** Something that this machine lacks, in a sentence. */
export class Unsuitable extends Error {}

/** The path of the library, made in `folder`. Throws `Unsuitable`. */
export function compileLossyDisk(folder: string): string {
  if (process.platform !== "linux")
    throw new Unsuitable("chaos needs Linux: it watches files with LD_PRELOAD");
  const library = join(folder, "lossy-disk.so");
  const args = [
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fPIC",
    "-shared",
    "-o",
    library,
    join(SOURCES, "lossy-disk.c"),
    join(SOURCES, "bad-sectors.c"),
    "-ldl",
    "-lpthread",
  ];
  for (const compiler of ["cc", "gcc"]) {
    const { status, error, stderr } = spawnSync(compiler, args, { encoding: "utf8" });
    if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") continue;
    if (status === 0) return library;
    throw new Unsuitable(
      `${compiler} cannot compile lossy-disk.c in ${SOURCES}: install gcc and libc6-dev\n${stderr}`,
    );
  }
  throw new Unsuitable("chaos needs a C compiler: install gcc and libc6-dev");
}

/** Of a member whose `root` is watched; two levels below it: their names may be lost, too. */
export function dataDirIn(root: string): string {
  return join(root, "new", "data");
}

/** The places for a data directory `name` in `folder`; makes what must be there before a process starts. */
export function watchedIn(folder: string, name: string): WatchedDirectory {
  const places = { root: join(folder, name), journal: join(folder, `${name}.journal`) };
  const [removed, bad] = [join(folder, `${name}.removed`), join(folder, `${name}.bad`)];
  if (!existsSync(removed)) mkdirSync(removed);
  if (!existsSync(bad)) writeFileSync(bad, new Uint8Array(TABLE_BYTES));
  return { ...places, removed, bad };
}

/** `faults` as lossy-disk.c takes them. */
export function watchedEnvironment(
  library: string,
  { root, journal, removed, bad }: WatchedDirectory,
  faults: readonly string[],
): NodeJS.ProcessEnv {
  return {
    ...process.env,
    LD_PRELOAD: library,
    // io_uring passes by what is preloaded.
    UV_USE_IO_URING: "0",
    LOSSY_DISK_ROOT: root,
    LOSSY_DISK_JOURNAL: journal,
    LOSSY_DISK_REMOVED: removed,
    LOSSY_DISK_BAD: bad,
    LOSSY_DISK_FAULTS: faults.join(","),
  };
}
