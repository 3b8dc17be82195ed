// The campaign, in a scratch copy; it does not know what is planted there. First random walks over the bare core, the
// quickest way to races of the protocol, then the network over TCP, which no simulation has in it, then whole clusters
// in the simulator, until something breaks. Arguments: how many walks, the first seed, the last. Its last line is what
// it found, as JSON: `Found`.
import { runSeed } from "../../src/cli/sim/seed-outcome.js";
import { NETWORK_CONTRACT } from "../../src/replica/network-contract.js";
import { walk, walkOf } from "../cluster/walk.js";
import { TcpLab } from "../io/tcp-lab.js";

export interface Found {
  /** What broke, such as `seed 7` or `walk 31`; null: nothing did. */
  readonly by: string | null;
  /** The invariant, with its evidence. */
  readonly violation: string | null;
}

const [walks = 0, first = 1, last = 0] = process.argv.slice(2).map(Number);

async function campaign(): Promise<Found> {
  for (let seed = 1; seed <= walks; seed += 1) {
    try {
      walk(walkOf(seed));
    } catch (error) {
      return { by: `walk ${seed}`, violation: messageOf(error) };
    }
  }
  const found = await overTcp();
  if (found !== null) return found;
  for (let seed = first; seed <= last; seed += 1) {
    const { violation } = await runSeed(seed);
    if (violation !== null) return { by: `seed ${seed}`, violation };
  }
  return { by: null, violation: null };
}

async function overTcp(): Promise<Found | null> {
  for (const { name, run } of NETWORK_CONTRACT) {
    const lab = await TcpLab.open();
    try {
      await run(lab);
    } catch (error) {
      return { by: "tcp", violation: `${name}: ${messageOf(error)}` };
    } finally {
      await lab.close();
    }
  }
  return null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

console.log(JSON.stringify(await campaign()));
