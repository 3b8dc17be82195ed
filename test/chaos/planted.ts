// Scratch copies of the compiled program: with other limits, or with a bug that a campaign must find.
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
  "failed-read-ends": {
    what: "a read that fails ends the process",
    file: "wal/unreadable.js",
    find: "if (isIoError(error))\n            return null;",
    replace: "",
  },
};

/** A log in files of 64 KiB of which two are kept: whoever was away for a moment needs a snapshot. */
const SMALL_LOG: readonly Edit[] = [
  { file: "wal/wal.js", find: "SEGMENT_BYTES = 16 * 1024 * 1024", replace: "SEGMENT_BYTES = 64 * 1024" },
  { file: "replica/driver.js", find: "TAIL_SEGMENTS = 4", replace: "TAIL_SEGMENTS = 2" },
];

/** A scrub that reads everything every two seconds, from the start on: what is damaged is found while it runs. */
const QUICK_SCRUB: readonly Edit[] = [
  { file: "replica/scrubber.js", find: "PASS_MS = 12 * 3_600_000", replace: "PASS_MS = 2000" },
  { file: "replica/scrubber.js", find: "FIRST_AFTER_MS = 60_000", replace: "FIRST_AFTER_MS = 300" },
];

/** How the program differs from the one that is shipped. */
export interface Changes {
  readonly planted: string | null;
  readonly hasSmallLog: boolean;
  readonly hasQuickScrub: boolean;
}

/** The program to run: as it is, or from a copy in `folder` with other words in it. */
export function programWith({ planted, hasSmallLog, hasQuickScrub }: Changes, folder: string): string {
  const edits = [
    ...(hasSmallLog ? SMALL_LOG : []),
    ...(hasQuickScrub ? QUICK_SCRUB : []),
    ...(planted === null ? [] : [PLANTS[planted]!]),
  ];
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
