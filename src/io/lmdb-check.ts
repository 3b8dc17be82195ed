// Reads a whole store in a process of its own, which lmdb may end: `node lmdb-check.js DIRECTORY`. A line for every
// slice says that it goes on; the last one says what is wrong. The exit status is 3 then, and 4 for another version.
import { pathToFileURL } from "node:url";
import { UnknownStoreFormat } from "../kv/record-store.js";
import { StateCorrupt } from "../machine/machine.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";
import { UNWATCHED } from "./store-watch.js";

export const DAMAGED_STATUS = 3;
export const UNKNOWN_STATUS = 4;
/** What a slice reads at most. */
const SLICE_MS = 100;

async function check(directory: string): Promise<void> {
  const { KvMachine } = await import("../kv/machine.js");
  const { decodeHead } = await import("../kv/head.js");
  const goesOn = () => process.stdout.write("opening\n");
  const records = await LmdbRecordStore.open(directory, { ...UNWATCHED, goesOn }, decodeHead);
  const machine = await KvMachine.open(records);
  process.stdout.write("loaded\n");
  for (let part = 0; part < 1; ) {
    const until = performance.now() + SLICE_MS;
    const step = machine.scrub(() => performance.now() >= until);
    part += step.part;
    process.stdout.write(`${step.checked}\n`);
    if (step.isEnd) break;
  }
  await machine.close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await check(process.argv[2]!);
  } catch (error) {
    const isUnknown = error instanceof UnknownStoreFormat;
    if (!(error instanceof StateCorrupt || isUnknown)) throw error;
    process.stdout.write(`${error.message}\n`);
    process.exit(isUnknown ? UNKNOWN_STATUS : DAMAGED_STATUS);
  }
}
