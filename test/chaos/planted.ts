// Bugs of durability, planted one at a time in a scratch copy of the compiled program: a campaign must find them.
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** `dist/test/chaos/` is three levels below the checkout. */
const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const SHIPPED = join(CHECKOUT, "bin/synod.js");

interface Plant {
  readonly what: string;
  /** In dist/src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
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
    file: "io/node-disk.js",
    find: "fsync(descriptor, (error) => done(error, undefined))",
    replace: "setImmediate(done, null, undefined)",
  },
  "sync-behind": {
    what: "a sync is reported when it begins",
    file: "io/node-disk.js",
    find: "fdatasync(this.#descriptor, done);",
    replace: "fdatasync(this.#descriptor, () => {}); setImmediate(done, null);",
  },
  "sync-error-ignored": {
    what: "a sync that failed counts as one that succeeded",
    file: "io/node-disk.js",
    find: "fdatasync(this.#descriptor, done);",
    replace: "fdatasync(this.#descriptor, () => done(null));",
  },
};

/** The program to run: as it is, or from a copy in `folder` with a bug of `PLANTS` in it. */
export function programWith(planted: string | null, folder: string): string {
  if (planted === null) return SHIPPED;
  const { file, find, replace } = PLANTS[planted]!;
  const copy = join(folder, "planted");
  for (const part of ["dist/src", "bin", "package.json"]) {
    cpSync(join(CHECKOUT, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(CHECKOUT, "node_modules"), join(copy, "node_modules"));
  const path = join(copy, "dist/src", file);
  const pieces = readFileSync(path, "utf8").split(find);
  if (pieces.length !== 2)
    throw new Error(`${file}: "${find}" is there ${pieces.length - 1} times, must be once`);
  writeFileSync(path, pieces.join(replace));
  return join(copy, "bin/synod.js");
}
