// The newest records of a core are hurt while all of it is without power: each slot keeps a good copy somewhere, and
// one is enough (F22; the grid of PAR, FAST 2018, section 5). What is chosen must be there afterwards, and work go on.
import type { Random } from "../base/random.js";
import type { Slot } from "../paxos/ballot.js";
import type { Value } from "../paxos/value.js";
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
    if (random.next() >= HURT_CHANCE || !flipIn(host, newestVote(host, slot)!, random)) continue;
    host.isDamaged = true;
    hurt += 1;
  }
  return hurt;
}

function newestVote(host: Host, slot: Slot): Value | null {
  const votes = host.ghost.durableVotes.get(slot);
  return votes === undefined ? null : votes.get(Math.max(...votes.keys()))!;
}

/** Flips a bit of the newest copy of `value` in the log; false: it is not there. */
function flipIn({ disk }: Host, value: Value, random: Random): boolean {
  const { memory } = disk;
  const logs = memory.names().filter((name) => name.startsWith("log-"));
  for (const name of logs.reverse()) {
    const bytes = memory.bytesOf(name);
    const at = lastIndexOf(bytes, value);
    if (at < 0) continue;
    bytes[at + random.below(value.length)]! ^= 1 << random.below(8);
    return true;
  }
  return false;
}

function lastIndexOf(bytes: Uint8Array, value: Value): number {
  if (value.length === 0) return -1;
  for (let at = bytes.length - value.length; at >= 0; at -= 1) {
    let same = 0;
    while (same < value.length && bytes[at + same] === value[same]) same += 1;
    if (same === value.length) return at;
  }
  return -1;
}
