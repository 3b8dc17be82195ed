// One system, measured from an empty folder on: a member that misses all the load, the state as a backup while puts go
// on, kills. The same calls for Synod and etcd, so that their figures can be divided by each other.
import type { Client } from "@grpc/grpc-js";
import { type Processes, sleep } from "../../test/real/processes.js";
import { fill, type PutFigures, type PutsOptions, putUntil } from "./load.js";
import { clientOf, mark, metricOf, servesNewest, takeSnapshot } from "./member-calls.js";
import type { StorePlan } from "./plan.js";
import { diskBytes, type Memory, MemoryWatch, readDiskWritten, readMemory } from "./process-figures.js";

const IN_FLIGHT = 100;
/** What is buffered is written, and the collectors of garbage have had their turn. */
const SETTLE_MS = 10_000;
/** A snapshot takes few seconds: one collection of garbage, or none, would decide the figures. */
const ROUNDS = 3;

export interface Phase extends PutFigures {
  /** Seconds, p99.9 and most, at the member that gives the snapshot; NaN: it does not tell. */
  readonly delay: number;
  readonly longest: number;
  readonly seconds: number;
}

export interface StoreFigures {
  readonly fillSeconds: number;
  readonly catchUpSeconds: number;
  readonly isCaughtUpBySnapshot: boolean;
  readonly diskAfterFill: ReadonlyMap<string, number>;
  readonly full: { readonly before: Phase; readonly during: Phase; readonly after: Phase };
  /** One of each in a round, equally long. */
  readonly paced: { readonly without: readonly Phase[]; readonly during: readonly Phase[] };
  readonly writtenPerPut: number;
  readonly snapshotBytes: number;
  readonly steady: readonly Memory[];
  readonly peak: { readonly anonymous: number; readonly file: number; readonly both: number };
  readonly diskAtEnd: ReadonlyMap<string, number>;
  readonly restartSeconds: readonly number[];
  readonly restarted: readonly Memory[];
}

export class StoreMeasurement {
  readonly #plan: StorePlan;
  readonly #cluster: Processes;
  readonly #clients: readonly Client[];
  readonly #withinMs: number;
  readonly #say: (line: string) => void;
  #marks: number;

  constructor(plan: StorePlan, cluster: Processes, say: (line: string) => void) {
    this.#plan = plan;
    this.#cluster = cluster;
    this.#clients = cluster.endpoints.map(clientOf);
    this.#withinMs = plan.minutes * 60_000;
    this.#say = say;
    this.#marks = 0;
  }

  get #pids(): number[] {
    return this.#cluster.members.flatMap(({ process: running }) => running?.pid ?? []);
  }

  async run(): Promise<StoreFigures> {
    const watch = new MemoryWatch(() => this.#pids);
    try {
      const filled = await this.#fillWithoutOne();
      const diskAfterFill = await diskBytes(this.#cluster.dataDir(0));
      await this.#puts({ inFlight: IN_FLIGHT }, sleep(2_000)); // Warms up the compilers.
      const puts = await this.#measurePuts();
      await sleep(SETTLE_MS);
      const steady = await this.#memory();
      // The leader keeps the snapshots that it has given for a minute.
      const other = ((await this.#cluster.findLeader()) + 1) % this.#cluster.members.length;
      const diskAtEnd = await diskBytes(this.#cluster.dataDir(other));
      const restartSeconds: number[] = [];
      for (const i of this.#cluster.members.keys()) restartSeconds.push(await this.#restart(i));
      await sleep(SETTLE_MS);
      const restarted = await this.#memory();
      const { anonymous, file, both } = watch;
      const peak = { anonymous, file, both };
      return { ...filled, diskAfterFill, ...puts, steady, peak, diskAtEnd, restartSeconds, restarted };
    } finally {
      watch.stop();
      for (const client of this.#clients) client.close();
    }
  }

  #memory(): Promise<Memory[]> {
    return Promise.all(this.#pids.map(readMemory));
  }

  /** A change at another member, for `i` to show that it has everything. */
  async #marked(i: number): Promise<string> {
    this.#marks += 1;
    const text = String(this.#marks);
    await mark(this.#clients[(i + 1) % this.#clients.length]!, text);
    return text;
  }

  async #fillWithoutOne() {
    const cluster = this.#cluster;
    const away = ((await cluster.findLeader()) + 1) % cluster.members.length;
    await cluster.signal(away, "SIGTERM");
    const present = this.#clients.filter((_, i) => i !== away);
    let startedAt = performance.now();
    await fill(present, this.#plan.keys, this.#plan.valueBytes);
    const fillSeconds = (performance.now() - startedAt) / 1000;
    this.#say(`filled in ${fillSeconds.toFixed(1)} s`);
    await sleep(SETTLE_MS);
    const text = await this.#marked(away);
    startedAt = performance.now();
    cluster.launch(away);
    await servesNewest(cluster.endpoint(away), text, this.#withinMs);
    const catchUpSeconds = (performance.now() - startedAt) / 1000;
    this.#say(`brought back in ${catchUpSeconds.toFixed(1)} s`);
    const metrics = await cluster.metrics(away);
    const names = ["synod_replica_snapshots_installed_total", "etcd_network_snapshot_receive_success"];
    const isCaughtUpBySnapshot = names.some((name) => metricOf(metrics, name) > 0);
    return { fillSeconds, catchUpSeconds, isCaughtUpBySnapshot };
  }

  #puts(how: Pick<PutsOptions, "inFlight" | "rate">, end: Promise<unknown>): Promise<PutFigures> {
    const { keys, valueBytes } = this.#plan;
    return putUntil(end, this.#clients, { keys, valueBytes, ...how });
  }

  /** Puts while `task` runs, and how late the event loop of member `at` was meanwhile. */
  async #phase(
    name: string,
    how: Pick<PutsOptions, "inFlight" | "rate">,
    at: number,
    task: Promise<unknown>,
  ): Promise<Phase> {
    // Each look at the metrics begins the delays anew.
    await this.#cluster.metrics(at);
    const startedAt = performance.now();
    const figures = await this.#puts(how, task);
    const seconds = (performance.now() - startedAt) / 1000;
    const metrics = await this.#cluster.metrics(at);
    const delay = metricOf(metrics, "nodejs_eventloop_lag_p999_seconds");
    const longest = metricOf(metrics, "nodejs_eventloop_lag_max_seconds");
    this.#say(`${name}: ${Math.round(figures.perSecond)} puts/s for ${seconds.toFixed(1)} s`);
    return { ...figures, delay, longest, seconds };
  }

  async #measurePuts() {
    const cluster = this.#cluster;
    const { seconds } = this.#plan;
    const while_ = () => sleep(seconds * 1000);
    const at = await cluster.findLeader();
    let snapshotBytes = 0;
    const snapshot = async (): Promise<void> => {
      snapshotBytes = await takeSnapshot(this.#clients[at]!);
    };
    const full = { inFlight: IN_FLIGHT };
    const idle = await this.#writtenDuring(() => sleep(SETTLE_MS));
    let before!: Phase;
    const busy = await this.#writtenDuring(async () => {
      before = await this.#phase("as many as go through", full, at, while_());
      await sleep(SETTLE_MS);
    });
    const during = await this.#phase("during a snapshot", full, at, snapshot());
    const after = await this.#phase("after it", full, at, while_());
    await sleep(SETTLE_MS);
    const paced = await this.#measurePaced(at, snapshot);
    return {
      full: { before, during, after },
      paced,
      // Without what others write all the time.
      writtenPerPut: (busy.bytes - idle.bytes * (busy.ms / idle.ms)) / before.puts / cluster.members.length,
      snapshotBytes,
    };
  }

  async #measurePaced(at: number, snapshot: () => Promise<void>): Promise<StoreFigures["paced"]> {
    const { rate } = this.#plan;
    const without: Phase[] = [];
    const during: Phase[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const phase = await this.#phase(`${rate} a second, during a snapshot`, { rate }, at, snapshot());
      await sleep(SETTLE_MS);
      during.push(phase);
      without.push(await this.#phase("without one", { rate }, at, sleep(phase.seconds * 1000)));
    }
    return { without, during };
  }

  async #writtenDuring(task: () => Promise<void>): Promise<{ bytes: number; ms: number }> {
    const { folder } = this.#plan;
    const startedAt = performance.now();
    const before = await readDiskWritten(folder);
    await task();
    return { bytes: (await readDiskWritten(folder)) - before, ms: performance.now() - startedAt };
  }

  /** Kills a member under load, starts it with none; seconds until it serves what is newest. */
  async #restart(i: number): Promise<number> {
    const cluster = this.#cluster;
    const killed = sleep(2_000).then(() => cluster.signal(i, "SIGKILL"));
    await this.#puts({ inFlight: IN_FLIGHT }, killed);
    const text = await this.#marked(i);
    const startedAt = performance.now();
    cluster.launch(i);
    await servesNewest(cluster.endpoint(i), text, this.#withinMs);
    const seconds = (performance.now() - startedAt) / 1000;
    this.#say(`member ${i + 1} serves ${seconds.toFixed(2)} s after its start`);
    return seconds;
  }
}
