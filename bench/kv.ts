// What a put costs the KV store, without network and log: CPU of all threads, longest stall of the event loop.
// `node dist/bench/kv.js [keys] [runs]`; every run puts twice as many values of 256 bytes as there are keys.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Random } from "../src/base/random.js";
import { LmdbRecordStore } from "../src/io/lmdb-record-store.js";
import type { KvCommand } from "../src/kv/commands.js";
import { KvMachine } from "../src/kv/machine.js";
import { MemoryRecordStore } from "../src/kv/memory-record-store.js";
import type { RecordStore } from "../src/kv/record-store.js";

const VALUE_BYTES = 256;
const PUTS_PER_TURN = 100;
const COMMIT_BYTES = 4 << 20;

interface Figures {
  readonly cpu: number;
  readonly stall: number;
  readonly reopen: number;
  readonly rss: number;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function commandOf(random: Random, keys: number, value: Uint8Array): KvCommand {
  const key = Buffer.from(String(random.below(keys)).padStart(16, "0"));
  const plain = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  return { kind: "put", request: { key, value, ...plain } };
}

async function run(open: () => Promise<RecordStore>, keys: number, seed: number): Promise<Figures> {
  const machine = await KvMachine.open(await open());
  const random = new Random(seed);
  const value = new Uint8Array(VALUE_BYTES).fill(seed);
  const puts = keys * 2;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const before = process.cpuUsage();
  let commit: Promise<void> | null = null;
  for (let done = 0; done < puts; ) {
    for (let i = 0; i < PUTS_PER_TURN; i += 1, done += 1) {
      machine.apply(machine.decode(machine.encode(commandOf(random, keys, value))));
    }
    if (commit === null && machine.uncommittedBytes() > COMMIT_BYTES) {
      commit = machine.commit(done, new Uint8Array(16)).then(() => {
        commit = null;
      });
    }
    while (commit !== null && machine.uncommittedBytes() > 8 * COMMIT_BYTES) await commit;
    await nextTurn();
  }
  await commit;
  await machine.commit(puts, new Uint8Array(16));
  const { user, system } = process.cpuUsage(before);
  delay.disable();
  const rss = process.memoryUsage().rss / 2 ** 20;
  await machine.close();
  const start = performance.now();
  await (await KvMachine.open(await open())).close();
  return { cpu: (user + system) / puts, stall: delay.max / 1e6, reopen: performance.now() - start, rss };
}

function median(values: readonly number[]): string {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!.toFixed(1);
}

const keys = Number(process.argv[2] ?? 100_000);
const runs = Number(process.argv[3] ?? 5);
for (const kind of ["memory", "lmdb"]) {
  const figures: Figures[] = [];
  for (let i = 0; i < runs; i += 1) {
    const directory = await mkdtemp(join(tmpdir(), "synod-bench-"));
    const memory = new MemoryRecordStore();
    const open = (): Promise<RecordStore> =>
      kind === "lmdb" ? LmdbRecordStore.open(directory) : Promise.resolve(memory);
    figures.push(await run(open, keys, i + 1));
    await rm(directory, { recursive: true });
  }
  const of = (name: keyof Figures): string => median(figures.map((one) => one[name]));
  console.log(
    `${kind}: ${of("cpu")} us CPU per put, longest stall ${of("stall")} ms, reopened in ${of("reopen")} ms, ` +
      `${of("rss")} MB resident (medians of ${runs} runs, ${keys} keys)`,
  );
}
