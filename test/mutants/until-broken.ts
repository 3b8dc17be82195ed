// The campaign, in a scratch copy; it does not know what is planted there. In three rounds, until something breaks:
// random walks over the bare core, the quickest way to races of the protocol; the network over TCP, once, which no
// simulation has in it; whole clusters in the simulator. Arguments: walks, first seed, last. Its last line: `Found`.
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

/** Most of what a kind of run can find it finds soon: none is to wait for all of another. */
const ROUNDS = 3;

async function campaign(): Promise<Found> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const found =
      walkAll(shareOf(1, walks, round)) ??
      (round === 0 ? await overTcp() : null) ??
      (await simulateAll(shareOf(first, last, round)));
    if (found !== null) return found;
  }
  return { by: null, violation: null };
}

/** What a round runs of everything from `from` to `to`. */
function shareOf(from: number, to: number, round: number): number[] {
  const start = (of: number) => from + Math.floor(((to - from + 1) * of) / ROUNDS);
  return Array.from({ length: start(round + 1) - start(round) }, (_, i) => start(round) + i);
}

function walkAll(seeds: readonly number[]): Found | null {
  for (const seed of seeds) {
    try {
      walk(walkOf(seed));
    } catch (error) {
      return { by: `walk ${seed}`, violation: messageOf(error) };
    }
  }
  return null;
}

async function simulateAll(seeds: readonly number[]): Promise<Found | null> {
  for (const seed of seeds) {
    const { violation } = await runSeed(seed);
    if (violation !== null) return { by: `seed ${seed}`, violation };
  }
  return null;
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
