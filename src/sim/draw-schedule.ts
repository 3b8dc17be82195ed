// The schedule of a seed. Swarm testing (Groce et al., ISSTA 2012): each seed draws its kinds of faults, its pace and
// its keys, so that a run does much of some.
import { Random } from "../base/random.js";
import { ALL_FAULTS } from "./all-faults.js";
import { DAMAGE_FAULTS } from "./disk-faults.js";
import { Requests } from "./requests.js";
import { ROT_FAULTS } from "./rot-faults.js";
import type { FaultLine, OperationLine, Schedule } from "./schedule.js";

const REPLICAS = 5;
const CLIENTS = 5;
/** By then the cluster has long formed. */
const BEGIN_MS = 1000;
/** Mean time between two operations of a client: together they ask ten times a second; in some runs more often. */
const PACE_MS = 470;
const BUSY_MS = 80;
/** Characters of a value, in some runs: a batch of the log then has several sectors, of which a crash may keep some. */
const LONG_VALUE = 2000;
const SHORT_VALUE = 100;
/** Operations a second: about ten, and in busy runs about sixty. */
const MOST_BY_DEFAULT = 15;
const FEWEST_KINDS = 4;
/** Of all seeds, those in which states rot, and the least mean time between two chances of that. */
const ROTS = 0.25;
const ROT_MS = 4000;
/** Of the seeds that faults and clients are given: short, for people type them. */
const SEEDS = 1_000_000;

/** Of the phase with faults, in virtual milliseconds. */
const LENGTH_MS = 60_000;
/** Most runs go on for a few seconds until they had enough; hardly any comes to an operation after this. */
const FIRST_MS = 90_000;

/**
 * A schedule without its late operations, and those: what is drawn stays in memory as long as a run, and most runs
 * never come to them. Both together are what `drawSchedule` draws.
 */
export function drawFirst(seed: number): { schedule: Schedule; later: () => readonly OperationLine[] } {
  const later = () => drawSchedule(seed).operations.filter(({ at }) => at > FIRST_MS);
  return { schedule: drawSchedule(seed, LENGTH_MS, FIRST_MS), later };
}

/** `length`: of the phase with faults. `until`: operations after it are left out. */
export function drawSchedule(seed: number, length = LENGTH_MS, until = Number.POSITIVE_INFINITY): Schedule {
  // Not the generator of the world, so that a schedule does not depend on how often the world draws.
  const random = new Random(seed + 2 ** 32);
  const end = BEGIN_MS + length;
  // A cluster that its faults keep from serving has few operations a second: it goes on until it had enough.
  const goesOn = 3 * length;
  const operations = drawOperations(random, Math.min(end + goesOn, until));
  const damageable = random.next() < 0.5 ? [1 + random.below(REPLICAS)] : [];
  const struck = drawFaults(random, end + goesOn, damageable.length > 0);
  const faults = [...struck, ...drawRot(seed, end + goesOn)].sort((a, b) => a.at - b.at);
  const healing = random.below(SEEDS);
  return { seed, replicas: REPLICAS, damageable, end, goesOn, healing, faults, operations };
}

/** Whether clients ask ten times a second, for short values: the profile by whose speed campaigns are compared. */
export function isDefaultProfile({ operations, end }: Schedule): boolean {
  const first = operations.filter(({ at }) => at <= end);
  if (first.length / ((end - BEGIN_MS) / 1000) > MOST_BY_DEFAULT) return false;
  return first.every(({ request }) => request.kind !== "put" || request.value.length <= SHORT_VALUE);
}

function drawFaults(random: Random, end: number, mayDamage: boolean): FaultLine[] {
  const others = ALL_FAULTS.filter((fault) => !ROT_FAULTS.includes(fault));
  const usable = mayDamage ? others : others.filter((fault) => !DAMAGE_FAULTS.includes(fault));
  // Of damage every such run has much: it hurts only what is hit, and most of what is hit matters no more.
  const kinds = usable.flatMap((fault) => {
    if (DAMAGE_FAULTS.includes(fault)) return [fault, fault];
    return random.next() < 0.5 ? [fault] : [];
  });
  while (kinds.length < FEWEST_KINDS) {
    const kind = usable[random.below(usable.length)]!;
    if (!kinds.includes(kind)) kinds.push(kind);
  }
  const pace = 500 + random.below(2500);
  const longest = 200 + random.below(6000);
  const lines: FaultLine[] = [];
  for (let at = BEGIN_MS; ; ) {
    at += Math.ceil(pace * (0.2 + 1.6 * random.next()));
    if (at > end) return lines;
    const fault = kinds[random.below(kinds.length)]!.name;
    const duration = 20 + Math.floor(random.next() * random.next() * longest);
    lines.push({ at, fault, duration, seed: random.below(SEEDS) });
  }
}

/** Draws of its own: the other seeds are what they are without it, and those in which states rot have all the rest. */
function drawRot(seed: number, end: number): FaultLine[] {
  const random = new Random(seed + 2 ** 36);
  const lines: FaultLine[] = [];
  if (random.next() >= ROTS) return lines;
  const pace = ROT_MS * (1 + random.below(4));
  for (let at = BEGIN_MS; ; ) {
    at += Math.ceil(2 * pace * random.next());
    if (at > end) return lines;
    for (const { name } of ROT_FAULTS)
      lines.push({ at, fault: name, duration: 0, seed: random.below(SEEDS) });
  }
}

function drawOperations(random: Random, end: number): OperationLine[] {
  const keys = 2 + random.below(10);
  const pace = random.next() < 0.05 ? BUSY_MS : PACE_MS;
  const longest = random.next() < 0.25 ? LONG_VALUE : 0;
  const lines: OperationLine[] = [];
  for (let client = 1; client <= CLIENTS; client += 1) {
    const own = new Random(random.below(SEEDS));
    const requests = new Requests(`${client}`, own, keys, { longest, refusals: 0.05 });
    for (let at = BEGIN_MS; ; ) {
      at += Math.ceil(2 * pace * own.next());
      if (at > end) break;
      lines.push({ at, client, replica: 1 + own.below(REPLICAS), request: requests.next() });
    }
  }
  return lines.sort((a, b) => a.at - b.at || a.client - b.client);
}
