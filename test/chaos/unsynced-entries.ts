// What a power loss may leave of directories: of the creations, removals and renames that no sync of their directory
// covers any, in their order; a rename is kept whole or not at all.
import type { Random } from "../../src/base/random.js";
import type { Entry, EntryChange } from "./journal.js";

/** Directory by inode number: its names, and the inode number of each. */
export type Tree = Map<number, Map<string, number>>;

export class UnsyncedEntries {
  #pending: EntryChange[];

  constructor() {
    this.#pending = [];
  }

  add(change: EntryChange): void {
    this.#pending.push(change);
  }

  synced(directory: number, upTo: number): void {
    this.#pending = this.#pending.filter((change) => {
      const isOf =
        change.name.directory === directory ||
        (change.kind === "rename" && change.to.directory === directory);
      return !(isOf && change.position < upTo);
    });
  }

  /** Changes `tree`, which is as it can be read now; how many changes were lost. */
  fall(random: Random, tree: Tree): number {
    for (const change of [...this.#pending].reverse()) takeBack(tree, change);
    const inOrder = random.below(2) === 0;
    const kept = random.below(this.#pending.length + 1);
    const chance = random.below(5) / 4;
    let lost = 0;
    for (const [index, change] of this.#pending.entries()) {
      if (inOrder ? index < kept : random.next() < chance) make(tree, change);
      else lost += 1;
    }
    return lost;
  }
}

function set(tree: Tree, { directory, name }: Entry, file: number): void {
  const names = tree.get(directory) ?? new Map<string, number>();
  tree.set(directory, names);
  if (file === 0) names.delete(name);
  else names.set(name, file);
}

function takeBack(tree: Tree, change: EntryChange): void {
  set(tree, change.name, change.kind === "create" ? 0 : change.file);
  if (change.kind === "rename") set(tree, change.to, change.replaced);
}

function make(tree: Tree, change: EntryChange): void {
  set(tree, change.name, change.kind === "create" ? change.file : 0);
  if (change.kind === "rename") set(tree, change.to, change.file);
}
