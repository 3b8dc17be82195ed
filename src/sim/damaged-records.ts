// The newest records of a core are hurt while all of it is without power: each slot keeps a good copy somewhere, and
// one is enough (F22; the grid of PAR, FAST 2018, section 5). What is chosen must be there afterwards, and work go on.
import type { Random } from "../base/random.js";
import type { Slot } from "../paxos/ballot.js";
import type { Value } from "../paxos/value.js";
import { flipValue } from "./disk-damage.js";
import type { HealedCore } from "./healed-core.js";
import type { Host } from "./host.js";

/** As for any core that was healed. */
const RECOVERED_MS = 4000;
const SLOTS = 4;
const HURT_CHANCE = 0.8;
const APART_MS = 0.8;

export async function damageRecords(core: HealedCore, random: Random): Promise<void> {
  const { world, hosts } = core;
  core.begin("damaged records");
  await core.askApart(core.leader!, APART_MS);
  await core.until(world.queue.now + 3 * random.next(), () => false);
  for (const host of hosts) host.losePower(false);
  const newest = world.ghost.chosenPrefix + 1;
  let hurt = 0;
  for (let slot = newest; slot > newest - SLOTS; slot -= 1) hurt += damageSlot(hosts, slot, random);
  world.tell(0, `${hurt} records of slots from ${newest - SLOTS + 1} on are hurt`);
  for (const host of hosts) host.start();
  if (!(await core.levelAgain("damaged records", RECOVERED_MS))) return;
  await core.mustDo(core.hosts, RECOVERED_MS, "operations after damage");
}

/** All that hold the slot but one may lose it; returns how many did. */
function damageSlot(hosts: readonly Host[], slot: Slot, random: Random): number {
  const holders = hosts.filter((host) => newestVote(host, slot) !== null);
  if (holders.length > 0) holders.splice(random.below(holders.length), 1);
  let hurt = 0;
  for (const host of holders) {
    if (random.next() >= HURT_CHANCE || !flipValue(host.disk.memory, newestVote(host, slot)!, random))
      continue;
    host.isDamaged = true;
    hurt += 1;
  }
  return hurt;
}

function newestVote(host: Host, slot: Slot): Value | null {
  const votes = host.ghost.durableVotes.get(slot);
  return votes === undefined ? null : votes.get(votes.highest())!;
}
