// The grids by name: each is something that three replicas have, to be damaged in all combinations.
import { LogGrid } from "./log-grid.js";
import { SnapshotGrid } from "./snapshot-grid.js";
import type { Outcome } from "./trial.js";

export interface Grid {
  /** The combination of what is damaged in effect, where a part cannot be hit alone. */
  effect(combination: number): number;
  try(combination: number): Promise<Outcome>;
}

export interface GridKind {
  readonly name: string;
  readonly group: "log" | "snapshots";
  /** Every so many combinations one is tried. */
  readonly every: number;
  make(): Promise<Grid>;
}

export const GRIDS: readonly GridKind[] = [
  { name: "log", group: "log", every: 1, make: () => LogGrid.make("apart", "value") },
  { name: "log-one-batch", group: "log", every: 3, make: () => LogGrid.make("together", "value") },
  { name: "log-votes", group: "log", every: 1, make: () => LogGrid.make("votes", "value") },
  { name: "log-lists", group: "log", every: 7, make: () => LogGrid.make("apart", "list") },
  { name: "log-one-list", group: "log", every: 61, make: () => LogGrid.make("together", "list") },
  { name: "snapshots", group: "snapshots", every: 1, make: () => SnapshotGrid.make("frames") },
  { name: "snapshots-named", group: "snapshots", every: 29, make: () => SnapshotGrid.make("first sector") },
  { name: "snapshots-newer", group: "snapshots", every: 29, make: () => SnapshotGrid.make("newer one") },
];

export function gridNamed(name: string): GridKind | null {
  return GRIDS.find((grid) => grid.name === name) ?? null;
}
