// Scratch copies of the compiled program: with small limits, or with a bug of durability that a campaign must find.
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** `dist/test/chaos/` is three levels below the checkout. */
const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const SHIPPED = join(CHECKOUT, "bin/synod.js");

interface Edit {
  /** In dist/src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

interface Plant extends Edit {
  readonly what: string;
}

export const PLANTS: Readonly<Record<string, Plant>> = {
  "no-sync": {
    what: "files are never synced",
    file: "io/node-disk.js",
    find: "fdatasync(this.#descriptor, done);",
    replace: "setImmediate(done, null);",
  },
  "no-directory-sync": {
    what: "directories are never synced",
    file: "io/make-directory.js",
    find: "await directory.sync();",
    replace: "",
  },
  "no-birth-sync": {
    what: "the names of new directories are never synced",
    file: "io/make-directory.js",
    find: "await syncWay(way);",
    replace: "void way;",
  },
  "no-log-sync": {
    what: "the log is never synced",
    file: "io/node-disk.js",
    find: "fdatasync(this.#descriptor, done);",
    replace:
      'if (this.name.startsWith("log-")) setImmediate(done, null); else fdatasync(this.#descriptor, done);',
  },
};

/** A log in files of 64 KiB of which two are kept: whoever was away for a moment needs a snapshot. */
const SMALL_LOG: readonly Edit[] = [
  { file: "wal/wal.js", find: "SEGMENT_BYTES = 16 * 1024 * 1024", replace: "SEGMENT_BYTES = 64 * 1024" },
  { file: "replica/driver.js", find: "TAIL_SEGMENTS = 4", replace: "TAIL_SEGMENTS = 2" },
];

/** The program to run: as it is, or from a copy in `folder` with other words in it. */
export function programWith(planted: string | null, hasSmallLog: boolean, folder: string): string {
  const edits = [...(hasSmallLog ? SMALL_LOG : []), ...(planted === null ? [] : [PLANTS[planted]!])];
  if (edits.length === 0) return SHIPPED;
  const copy = join(folder, "planted");
  for (const part of ["dist/src", "bin", "package.json"]) {
    cpSync(join(CHECKOUT, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(CHECKOUT, "node_modules"), join(copy, "node_modules"));
  for (const { file, find, replace } of edits) {
    const path = join(copy, "dist/src", file);
    const pieces = readFileSync(path, "utf8").split(find);
    if (pieces.length !== 2)
      throw new Error(`${file}: "${find}" is there ${pieces.length - 1} times, must be once`);
    writeFileSync(path, pieces.join(replace));
  }
  return join(copy, "bin/synod.js");
}
