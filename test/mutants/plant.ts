// Plants a bug: a scratch copy of the compiled tree in which a few words are others. Production code has no switch
// for it, so that nothing can turn it on.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Edit, Mutant } from "./mutant.js";
import { SMALL_LIMITS } from "./small-limits.js";

export interface Planted {
  /** Has what runs of `dist/`, `package.json` and `node_modules`, as a checkout does. */
  readonly directory: string;
  remove(): void;
}

/** `dist/test/mutants/` is three levels below the checkout. */
const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Of the compiled tree: what a campaign or the explorer runs. To copy the rest takes longer than to find most bugs. */
function isNeeded(path: string): boolean {
  return !/\.(test\.js|d\.ts|map)$|[/\\]dist[/\\](bench|src[/\\]etcd)$/.test(path);
}

/** A copy with `mutant` in it; null: without any. Throws, and leaves nothing, where the text is not there once. */
export function plant(mutant: Mutant | null): Planted {
  const directory = mkdtempSync(join(tmpdir(), "synod-mutant-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    cpSync(join(CHECKOUT, "dist"), join(directory, "dist"), { recursive: true, filter: isNeeded });
    cpSync(join(CHECKOUT, "package.json"), join(directory, "package.json"));
    symlinkSync(join(CHECKOUT, "node_modules"), join(directory, "node_modules"));
    for (const limit of SMALL_LIMITS) change(directory, limit);
    if (mutant !== null) for (const edit of [mutant, ...(mutant.also ?? [])]) change(directory, edit);
  } catch (error) {
    remove();
    throw error;
  }
  return { directory, remove };
}

/** How often the text that `edit` looks for is in the compiled tree. */
export function occurrences(edit: Edit): number {
  return readFileSync(compiledOf(CHECKOUT, edit), "utf8").split(edit.find).length - 1;
}

function compiledOf(directory: string, { file }: Edit): string {
  return join(directory, "dist", file.replace(/\.ts$/, ".js"));
}

function change(directory: string, edit: Edit): void {
  const path = compiledOf(directory, edit);
  const pieces = readFileSync(path, "utf8").split(edit.find);
  if (pieces.length !== 2) {
    throw new Error(`${edit.file}: "${edit.find}" is there ${pieces.length - 1} times, must be once`);
  }
  writeFileSync(path, pieces.join(edit.replace));
}
