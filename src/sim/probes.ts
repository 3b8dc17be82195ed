// What is asked of a core that is at work, one thing after the other: leadership moves on request and at an orderly
// stop without an outage (F25), no reset of connections and no restart moves it (F31, F33), a crash moves it soon.
import type { Random } from "../base/random.js";
import { crash } from "./crash-probes.js";
import { damageRecords } from "./damaged-records.js";
import type { HealedCore } from "./healed-core.js";
import { hideEnd } from "./hidden-end.js";
import { anotherWay } from "./other-way.js";
import { cutPartly } from "./partial-cuts.js";
import { leaveVotesBehind } from "./stale-votes.js";

/** T, and twice T, by a clock that is slow by a fifth. */
const T_MS = 625;
/** Neither a transfer nor a closed connection waits for an election timeout. */
const AT_ONCE_MS = 250;
const RESET_MS = 300;
/** Missing values are asked for, links are made again, and one that could not lead has led and stopped. */
const SETTLED_MS = 3 * T_MS;

/** In so many runs links are cut as well: it takes longest. */
const CUT_CHANCE = 0.5;
const HIDDEN_CHANCE = 0.3;
const DAMAGE_CHANCE = 0.3;

export async function probe(core: HealedCore, random: Random): Promise<void> {
  const steps = [transfer, resetConnections, orderlyStop, crash, crash, anotherWay, leaveVotesBehind];
  if (random.next() < CUT_CHANCE) steps.push(cutPartly);
  if (random.next() < HIDDEN_CHANCE) steps.push(hideEnd);
  // Last, for afterwards disks are known to be damaged, which excuses.
  if (random.next() < DAMAGE_CHANCE) steps.push(damageRecords);
  for (const step of steps) if (!core.isOver) await step(core, random);
}

/** F25: on request, also of one replica, within less than T; what is asked meanwhile is done as soon. */
async function transfer(core: HealedCore, random: Random): Promise<void> {
  const { world } = core;
  const leader = core.leader!;
  const others = core.othersThan(leader);
  const to = random.next() < 0.3 ? 0 : others[random.below(others.length)]!.id;
  core.begin("transfer");
  let told = "no answer";
  core.follow(leader, leader.replica!.transferLeadership(to), (error) => {
    told = error;
  });
  if (!(await core.mustDo(core.hosts, AT_ONCE_MS, `transfer to ${to}`))) return;
  const isMoved = () => told === "" && core.leader !== null && core.leader !== leader;
  const end = world.queue.now + AT_ONCE_MS;
  if (!(await core.demand(end, isMoved, () => `transfer to ${to}: ${told}; ${core.levels}`))) return;
  if (to !== 0 && core.leader!.id !== to) core.fail(`transfer to ${to}: ${core.leader!.id} leads`);
  await core.levelAgain("transfer", SETTLED_MS);
}

/** F31: connections that are had again at once change no leader. */
async function resetConnections(core: HealedCore): Promise<void> {
  const { world, ids } = core;
  const ballot = core.leader!.core!.ballot;
  core.begin("connections reset");
  for (const a of ids) for (const b of ids) if (a < b) world.network.blink(a, b);
  if (!(await core.mustDo(core.hosts, T_MS, "connections reset"))) return;
  await core.until(world.queue.now + RESET_MS, () => false);
  core.keeps(ballot, "connections that are had again at once");
}

/** Hands over before it goes; when it is back, it leaves the leader alone (F33). */
async function orderlyStop(core: HealedCore): Promise<void> {
  const { world } = core;
  const leader = core.leader!;
  const others = core.othersThan(leader);
  core.begin("orderly stop of the leader");
  leader.close(() => {});
  if (core.isQuorum(others)) {
    if (!(await core.mustDo(others, AT_ONCE_MS, "orderly stop"))) return;
  }
  const end = world.queue.now + 2 * T_MS;
  if (
    !(await core.demand(
      end,
      () => !leader.isUp,
      () => `replica ${leader.id} does not stop`,
    ))
  )
    return;
  const ballot = others[0]!.core!.ballot;
  leader.start();
  if (!(await core.levelAgain("restart", SETTLED_MS))) return;
  await core.until(world.queue.now + RESET_MS, () => false);
  if (core.isQuorum(others)) core.keeps(ballot, "a restart");
}
