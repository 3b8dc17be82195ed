// How the cluster of a run forms: all first replicas meet. At times an operator starts one with other settings than the
// rest; that one is refused (2.8, F7), until its empty directory is thrown away and it is started as it should be.
import { Random } from "../base/random.js";
import type { ClusterConfig } from "../paxos/genesis.js";
import type { World } from "./world.js";

const FORMING_MS = 10_000;
const MISTAKES = 0.1;
/** How long an operator needs; the disturbance begins after one second. */
const CORRECTED_MS = 300;

const WRONG: readonly Partial<ClusterConfig>[] = [
  { alpha: 7 },
  { digestInterval: 7 },
  { token: "of another cluster" },
];

/** Whether everyone has joined, and knows who leads. */
export async function form(world: World): Promise<boolean> {
  const random = new Random(world.options.seed + 2 ** 33);
  const mistaken = random.next() < MISTAKES ? world.host(1 + random.below(world.ids.length)) : null;
  for (const host of world.hosts.values()) {
    host.start(host === mistaken ? WRONG[random.below(WRONG.length)] : {});
  }
  if (mistaken !== null) {
    await world.run(CORRECTED_MS * random.next());
    world.tell(mistaken.id, "was started with other settings than the others, and starts anew");
    mistaken.kill();
    mistaken.disk.wipe();
    mistaken.start();
  }
  const isFormed = () => [...world.hosts.values()].every(({ core }) => core !== null && core.leader !== 0);
  await world.run(FORMING_MS, isFormed);
  return isFormed();
}
