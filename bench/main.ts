// `npm run bench`: puts a second over gRPC and from the embedding API with fsync on, memory, and how long puts at
// a surviving replica stall when the leader is killed or stopped. Prints medians; asserts nothing.
//   --seconds N  length of each throughput run (default 5)     --trials N  failovers of each kind (default 20)
//   --part puts|embedded|failover
// `npm run bench -- store --folder DIR`: memory, restarts, disk and stalls of a cluster with many keys
//   --keys N (1000000)  --value-bytes N (256)  --etcd: etcd too, for ratios  --minutes N (30): given up after so long
//   --seconds N (20): of each phase of puts    --rate N (1000): puts a second of the phases that are not to be full
import { parseArgs } from "node:util";
import { Processes, sleep } from "../test/real/processes.js";
import { connect, put } from "../test/real/unary.js";
import { benchEmbedded } from "./embedded.js";
import { median } from "./median.js";
import { benchStore } from "./store/store.js";

if (process.argv[2] === "store") process.exit(await benchStore(process.argv.slice(3)));

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    trials: { type: "string", default: "20" },
    part: { type: "string", default: "" },
  },
});
// Who reads may go early (`| head`): the servers are ended all the same.
process.stdout.on("error", () => {
  process.exitCode = 1;
});
const seconds = Number(options.seconds);
const trials = Number(options.trials);
const runs = (part: string): boolean => options.part === "" || options.part === part;

/** Puts of 256 bytes with `outstanding` requests at a time, spread over all replicas; puts a second. */
async function putsPerSecond(cluster: Processes, outstanding: number): Promise<number> {
  const clients = cluster.members.map((_, i) => connect(cluster.endpoint(i)));
  const value = new Uint8Array(256).fill(120);
  const end = performance.now() + seconds * 1000;
  let done = 0;
  const worker = async (w: number): Promise<void> => {
    const client = clients[w % clients.length]!;
    for (let n = 0; performance.now() < end; n += 1) {
      await put(client, `bench/${w}/${n % 1000}`, value);
      done += 1;
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: outstanding }, (_, w) => worker(w)));
  const elapsed = performance.now() - startedAt;
  for (const client of clients) client.close();
  return (done * 1000) / elapsed;
}

async function benchPuts(): Promise<void> {
  const cluster = await Processes.start(3);
  try {
    await putsPerSecond(cluster, 100); // Warms up the compilers and the log's first segments.
    for (const outstanding of [1, 100, 1000]) {
      const rates: number[] = [];
      for (let run = 0; run < 3; run += 1) rates.push(await putsPerSecond(cluster, outstanding));
      console.log(
        `gRPC, ${outstanding} outstanding: ${Math.round(median(rates))} puts/s (median of 3, fsync on)`,
      );
    }
    const memory = await Promise.all(cluster.members.map((_, i) => cluster.memory(i)));
    console.log(
      `memory after it: ${memory.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(", ")} resident`,
    );
  } finally {
    await cluster.close();
  }
}

interface Stall {
  readonly ms: number;
  readonly failed: number;
}

/** The longest time between two acknowledgements to a client that puts at a surviving replica. */
async function stallOf(cluster: Processes, signal: "SIGKILL" | "SIGTERM"): Promise<Stall> {
  const leader = await cluster.findLeader();
  const client = connect(cluster.endpoint((leader + 1) % cluster.members.length));
  let longest = 0;
  let failed = 0;
  let isStopped = false;
  const load = (async (): Promise<void> => {
    let lastAt = performance.now();
    for (let n = 0; !isStopped; n += 1) {
      await put(client, `stall/${n % 100}`, new Uint8Array(16)).catch(() => {
        failed += 1;
      });
      const now = performance.now();
      longest = Math.max(longest, now - lastAt);
      lastAt = now;
    }
  })();
  await sleep(300);
  longest = 0;
  const stopped = cluster.signal(leader, signal);
  await sleep(1500);
  isStopped = true;
  await load;
  await stopped;
  client.close();
  cluster.launch(leader);
  await cluster.ready();
  await sleep(300);
  return { ms: longest, failed };
}

async function benchFailover(): Promise<void> {
  const cluster = await Processes.start(3);
  try {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const stalls: Stall[] = [];
      for (let trial = 0; trial < trials; trial += 1) stalls.push(await stallOf(cluster, signal));
      const times = stalls.map((stall) => stall.ms);
      const failed = stalls.reduce((sum, stall) => sum + stall.failed, 0);
      console.log(
        `${signal} of the leader: median stall ${Math.round(median(times))} ms, ` +
          `longest ${Math.round(Math.max(...times))} ms, ${failed} puts failed (${trials} trials)`,
      );
    }
  } finally {
    await cluster.close();
  }
}

if (runs("puts")) await benchPuts();
if (runs("embedded")) await benchEmbedded(seconds);
if (runs("failover")) await benchFailover();
