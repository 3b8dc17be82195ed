// What a campaign keeps in a file, so that it can be stopped at any moment and continued: its seeds, its sums, and the
// build that it ran on, for a seed means the same run only on the same code.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommandFailed } from "../failures.js";
import { noSums, type Sums } from "./campaign-sums.js";
import { writeText } from "./write-text.js";

export interface CampaignState {
  readonly build: string;
  readonly first: number;
  /** Null: there is no last one; the campaign ends with its time. */
  readonly last: number | null;
  /** The first seed that was never begun, and those before it that did not end. */
  next: number;
  open: number[];
  readonly sums: Sums;
}

/** Layers whose code a run executes. */
const LAYERS = ["base", "paxos", "proto", "machine", "wire", "wal", "kv", "replica", "sim"];

/** Of the compiled code. */
export function buildOf(): string {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const hash = createHash("sha256");
  for (const layer of LAYERS) {
    const names = readdirSync(join(root, layer), { recursive: true, encoding: "utf8" });
    for (const name of names.filter((one) => one.endsWith(".js") && !one.endsWith(".test.js")).sort()) {
      hash.update(`${layer}/${name}\0`).update(readFileSync(join(root, layer, name)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

export function newState(first: number, last: number | null): CampaignState {
  return { build: buildOf(), first, last, next: first, open: [], sums: noSums() };
}

export function writeState(path: string, state: CampaignState): void {
  writeText(path, `${JSON.stringify(state, null, 1)}\n`);
}

/**
 * The state in a file, of the seeds asked for; null: there is no such file. Throws `CommandFailed` when it is no state,
 * or of other seeds, or of another build.
 */
export function readState(path: string, seeds: readonly [number, number] | null): CampaignState | null {
  if (!existsSync(path)) return null;
  const state = parse(path);
  const name = (first: number, last: number | null) => `seeds ${first}-${last ?? ""}`;
  const isOther = seeds === null ? state.last !== null : state.first !== seeds[0] || state.last !== seeds[1];
  if (isOther) {
    const asked = seeds === null ? "as many seeds as there is time for" : name(...seeds);
    throw new CommandFailed(`${path} is the state of ${name(state.first, state.last)}, not of ${asked}`);
  }
  if (state.build !== buildOf()) {
    throw new CommandFailed(
      `${path} is the state of a campaign on other code, on which its seeds were other runs; remove it, or name another`,
    );
  }
  return state;
}

function parse(path: string): CampaignState {
  let state: unknown;
  try {
    state = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new CommandFailed(`the state of the campaign cannot be read: ${path}: ${(error as Error).message}`);
  }
  if (!isLike(state, newState(0, 0))) throw new CommandFailed(`${path} is not the state of a campaign`);
  return state as CampaignState;
}

/** It has every field of `model`, of the same kind; what is null there may be anything. */
function isLike(value: unknown, model: unknown): boolean {
  if (model === null) return true;
  if (typeof model !== "object") return typeof value === typeof model || value === null;
  if (typeof value !== "object" || value === null || Array.isArray(value) !== Array.isArray(model))
    return false;
  return Object.entries(model).every(([name, field]) => {
    return Object.hasOwn(value, name) && isLike((value as Record<string, unknown>)[name], field);
  });
}
