// `npm run bench -- store`: a cluster of three processes with many keys, and the same of etcd for ratios. Its folder is
// removed and its processes are ended, by their ids, whatever happens, and at the latest when its time is over.
import { spawnSync } from "node:child_process";
import { Processes } from "../../test/real/processes.js";
import { type StoreFigures, StoreMeasurement } from "./measure.js";
import { readStorePlan, type StorePlan } from "./plan.js";
import { report } from "./report.js";

/** The load comes in large transactions: with etcd's default of 100,000 they would all stay in its memory. */
const ETCD = ["etcd", "--snapshot-count", "10000", "--quota-backend-bytes", String(64 * 2 ** 30)] as const;

function hasEtcd(): boolean {
  return spawnSync("etcd", ["--version"], { stdio: "ignore" }).status === 0;
}

/** The exit status. */
export async function benchStore(args: string[]): Promise<number> {
  let plan: StorePlan;
  try {
    plan = readStorePlan(args);
    if (plan.withEtcd && !hasEtcd())
      throw new Error("--etcd: there is no program etcd; install it or leave it out");
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  const synod = await measure(plan, "Synod");
  let etcd: StoreFigures | null = null;
  let failure: unknown = null;
  try {
    if (plan.withEtcd) etcd = await measure(plan, "etcd");
  } catch (error) {
    // What was measured is told all the same.
    failure = error;
  }
  console.log(`${plan.keys} keys with values of ${plan.valueBytes} bytes, three members on this machine`);
  for (const line of report(synod, etcd)) console.log(line);
  if (failure !== null) console.error(`etcd: ${String(failure)}`);
  return failure === null ? 0 : 1;
}

async function measure(plan: StorePlan, system: "Synod" | "etcd"): Promise<StoreFigures> {
  const say = (line: string): void => console.error(`${system}: ${line}`);
  const command = system === "etcd" ? { command: ETCD } : {};
  const cluster = await Processes.start(3, { parent: plan.folder, ...command });
  let onSignal: () => void = () => {};
  let timer: NodeJS.Timeout | undefined;
  const givenUp = new Promise<never>((_, reject) => {
    onSignal = () => reject(new Error("interrupted"));
    const over = `it was not over in ${plan.minutes} minutes: give it more with --minutes`;
    timer = setTimeout(() => reject(new Error(over)), plan.minutes * 60_000);
  });
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  // Whatever ends this process ends those that it has started.
  const onExit = (): void => cluster.kill();
  process.once("exit", onExit);
  try {
    return await Promise.race([new StoreMeasurement(plan, cluster, say).run(), givenUp]);
  } catch (error) {
    for (const { name, output } of cluster.members) say(`${name} said at last:\n${output.slice(-2_000)}`);
    throw error;
  } finally {
    clearTimeout(timer);
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    await cluster.close();
    process.off("exit", onExit);
  }
}
