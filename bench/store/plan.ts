// What `npm run bench -- store` is asked for. Rule: what makes no sense is told before anything is started.
import { existsSync, statfsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

const OPTIONS = {
  keys: { type: "string", default: "1000000" },
  "value-bytes": { type: "string", default: "256" },
  folder: { type: "string" },
  seconds: { type: "string", default: "20" },
  rate: { type: "string", default: "1000" },
  minutes: { type: "string", default: "30" },
  etcd: { type: "boolean", default: false },
} as const;
/** tmpfs and ramfs: syncs cost nothing there, and files are memory. */
const IN_MEMORY = [0x01021994, 0x858458f6];

export interface StorePlan {
  readonly keys: number;
  readonly valueBytes: number;
  /** On a disk; the folder of each run is made in it and removed. */
  readonly folder: string;
  /** Of each phase of puts. */
  readonly seconds: number;
  /** Puts a second where they come at a pace of their own. */
  readonly rate: number;
  /** All of it is given up after so long. */
  readonly minutes: number;
  readonly withEtcd: boolean;
}

/** Throws an `Error` when the arguments make no sense. */
export function readStorePlan(args: string[]): StorePlan {
  const { values } = parseArgs({ args, options: OPTIONS });
  const number = (name: "keys" | "value-bytes" | "seconds" | "rate" | "minutes", least: number): number => {
    const value = Number(values[name]);
    if (Number.isFinite(value) && value >= least) return value;
    throw new Error(`--${name} ${values[name]} is not a number from ${least}`);
  };
  if (values.folder === undefined) throw new Error("--folder DIR is missing: give a folder on a disk");
  const folder = resolve(values.folder);
  if (!existsSync(folder)) throw new Error(`${folder} does not exist: give a folder on a disk with --folder`);
  if (IN_MEMORY.includes(statfsSync(folder).type)) {
    throw new Error(`${folder} is a file system in memory: give a folder on a disk with --folder`);
  }
  return {
    keys: Math.floor(number("keys", 100)),
    valueBytes: Math.floor(number("value-bytes", 1)),
    folder,
    seconds: number("seconds", 1),
    rate: number("rate", 1),
    minutes: number("minutes", 1),
    withEtcd: values.etcd,
  };
}
