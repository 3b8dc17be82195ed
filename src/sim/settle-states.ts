// Before anything else is asked of a healed core whose states have rotted: it finds that out, and those that are not of
// the majority take its state (2.10). Who is fenced meanwhile serves nobody, and may lead no more.
import type { HealedCore } from "./healed-core.js";
import { dividedAfter } from "./told-digests.js";

/** A leader is found and all are level; digests come every 16 slots; a snapshot is asked for twice a second. */
const SETTLED_MS = 15_000;
/** No majority has the same state for so long: none will. */
const DIVIDED_MS = 5_000;
/** Between two rounds of operations: each is a slot or more. */
const ROUND_MS = 100;

export async function settleStates(core: HealedCore): Promise<void> {
  const { world } = core;
  // What was told before is no word of one that has lost its state since, and executes all of it anew.
  const from = world.ghost.visibleUpTo + 1;
  const ids = core.hosts.map(({ id }) => id);
  const isSettled = () => world.rot.isOver(ids, from) && fenced(core).length === 0;
  const end = world.queue.now + SETTLED_MS;
  let since = world.queue.now;
  while (!isSettled() && world.queue.now < end && !core.isOver) {
    if (dividedAfter(world.ghost) === 0) since = world.queue.now;
    else if (world.queue.now > since + DIVIDED_MS) break;
    core.forgetOthers();
    core.put(core.hosts.filter(({ isUp }) => isUp));
    await core.until(world.queue.now + ROUND_MS, () => false);
  }
  if (isSettled()) return;
  core.fail(`states that have rotted stay different, fenced are ${fenced(core)}: ${core.levels}`);
}

function fenced({ hosts }: HealedCore): number[] {
  return hosts.filter(({ replica }) => replica?.status().isFenced === true).map(({ id }) => id);
}
