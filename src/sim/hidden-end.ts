// A follower's log loses its end while it is down, so that nobody can tell what it voted for. The others can elect a
// leader without it: it must count again soon (A8), and when the leader dies the others must be able to go on with it.
import type { Random } from "../base/random.js";
import { crash } from "./crash-probes.js";
import { ruinEnd } from "./disk-damage.js";
import type { HealedCore } from "./healed-core.js";

/** T, by a clock that is slow by a fifth. */
const T_MS = 625;
/** A new ballot is taken once in 4 T. */
const COUNTS_MS = 5 * T_MS;
/** Operations in slots of their own. */
const APART_MS = 0.8;

export async function hideEnd(core: HealedCore, random: Random): Promise<void> {
  const { world } = core;
  const followers = core.othersThan(core.leader!);
  // The atlas: of what two disks have lost nobody may have a copy.
  const isSpared = core.hosts.some(({ isDamaged }) => isDamaged);
  const candidates = followers.filter(({ isDamaged }) => isDamaged || !isSpared);
  if (candidates.length === 0) return;
  const victim = candidates[random.below(candidates.length)]!;
  if (!core.isQuorum(core.othersThan(victim))) return;
  core.begin("hidden end");
  // What it has just voted for is not known chosen there.
  await core.askApart(core.leader!, APART_MS);
  victim.losePower(false);
  ruinEnd(victim.disk.memory);
  victim.isDamaged = true;
  victim.start();
  const isCounting = () => core.leader !== null && core.isSound;
  const what = () => `replica ${victim.id} lost the end of its log, and counts for nobody: ${core.levels}`;
  if (!(await core.demand(world.queue.now + COUNTS_MS, isCounting, what))) return;
  if (await core.levelAgain("hidden end", 3 * T_MS)) await crash(core, random);
}
