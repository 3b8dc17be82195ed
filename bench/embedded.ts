// Commands a second through the embedding API: three replicas in this process, real sockets and disks, fsync on.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createReplica, jsonMachine } from "../src/index.js";
import { median } from "./median.js";

const ids = [1, 2, 3];

export async function benchEmbedded(seconds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "synod-bench-"));
  const base = 33_000 + Math.floor(Math.random() * 1000) * 3;
  const members = Object.fromEntries(ids.map((id) => [id, `127.0.0.1:${base + id}`]));
  const replicas = ids.map((id) => {
    const machine = jsonMachine({
      initial: { sum: 0 },
      apply: (state: { sum: number }, command: { add: number }) => {
        state.sum += command.add;
        return state.sum;
      },
      query: (state: { sum: number }, _query: null) => state.sum,
    });
    return createReplica({ id, members, dataDir: join(folder, String(id)), machine });
  });
  try {
    await Promise.all(replicas.map((replica) => replica.ready()));
    for (const outstanding of [1, 100, 1000]) {
      const rates: number[] = [];
      for (let run = 0; run < 3; run += 1) {
        const end = performance.now() + seconds * 1000;
        let done = 0;
        const startedAt = performance.now();
        const worker = async (w: number): Promise<void> => {
          while (performance.now() < end) {
            await replicas[w % replicas.length]!.propose({ add: 1 });
            done += 1;
          }
        };
        await Promise.all(Array.from({ length: outstanding }, (_, w) => worker(w)));
        rates.push((done * 1000) / (performance.now() - startedAt));
      }
      console.log(
        `embedded, ${outstanding} outstanding: ${Math.round(median(rates))} commands/s (median of 3, fsync on)`,
      );
    }
  } finally {
    await Promise.all(replicas.map((replica) => replica.close()));
    await rm(folder, { recursive: true, force: true });
  }
}
