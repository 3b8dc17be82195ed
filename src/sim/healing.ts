// What heals after the faults, and what stays as bad as it is: a core of at least a majority becomes whole again, its
// damaged disks among it; everything outside of it stays cut off, dead, slow or lossy for ever ("Paxos Made Live", 6).
import type { Random } from "../base/random.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { World } from "./world.js";

export interface Healing {
  readonly core: readonly ReplicaId[];
  /** What is outside of the core: there is nothing; dead; or alive, and as it was. */
  readonly outside: "none" | "dead" | "as it was";
  /** One of the core whose disk stays slow; 0: none. */
  readonly slowDisk: ReplicaId;
}

/** So many seeds leave nobody out on purpose: of five at work most can be asked. */
const WHOLE = 0.25;
/** Of all seeds whose core leaves somebody out, so many leave the others dead. */
const DEAD_OUTSIDE = 0.6;
const SLOW_DISK = 0.15;
/** What a link that stays late may take. */
const LATEST_MS = 200;
/** What a link that stays lossy loses: the most that the fault of that name draws. */
const MOST_LOST = 0.3;
/** Of an operation; a promise takes four, and one that takes longer than T is none to an election. */
const SLOW_MS = [20, 60] as const;

/** Replicas whose disk is beyond what a replica heals by itself are not drawn: they refuse to start. */
export function drawHealing(world: World, random: Random): Healing {
  const core = world.ids.filter((id) => !world.host(id).isLost);
  const majority = Math.floor(world.ids.length / 2) + 1;
  // Where states differ, and it is not found out yet, a majority of all must be able to say whose are right.
  const isWhole = random.next() < WHOLE || !world.rot.isOver(core);
  const size = isWhole ? core.length : majority + random.below(Math.max(1, core.length - majority + 1));
  while (core.length > size) core.splice(random.below(core.length), 1);
  const isDead = random.next() < DEAD_OUTSIDE;
  // To start on a slow disk takes as long as there is to read.
  const running = core.filter((id) => world.host(id).core !== null && !world.host(id).isClosing);
  const isSlow = random.next() < SLOW_DISK && running.length > 0;
  const slowDisk = isSlow ? running[random.below(running.length)]! : 0;
  const outside = core.length === world.ids.length ? "none" : isDead ? "dead" : "as it was";
  return { core, outside, slowDisk };
}

export function heal(world: World, random: Random, { core, outside, slowDisk }: Healing): void {
  world.tell(0, `replicas ${core.join(", ")} heal; outside: ${outside}; slow disk: ${slowDisk}`);
  world.onDurableSend = () => {};
  for (const host of world.hosts.values()) {
    host.disk.onSync = () => {};
    host.onRestored = () => {};
    if (!core.includes(host.id)) {
      if (outside === "dead") host.kill();
      continue;
    }
    host.disk.heal();
    host.free();
    // A fault that ended just now may have stopped it.
    if (host.id === slowDisk && host.core !== null)
      host.disk.manners.slowness = SLOW_MS[0] + random.below(SLOW_MS[1]);
    host.resume();
    if (host.isClosing) host.kill();
    if (!host.isUp && !host.isLost) host.start();
  }
  // No network drops one kind of message for ever; a leader behind such a one could never be told from a good one. Nor
  // is one late by seconds, or lost every other time, for ever: a quorum may be near a leader that the others then wait
  // for in every operation.
  for (const from of world.ids) {
    for (const to of world.ids) {
      if (from === to) continue;
      const wire = world.network.wire(from, to);
      wire.dropKind = "";
      wire.delay = Math.min(wire.delay, LATEST_MS);
      wire.loss = Math.min(wire.loss, MOST_LOST);
    }
  }
  world.healNetwork(core);
  // Nothing old is under way any more: what goes wrong from here on is the core's own doing.
  if (outside !== "as it was")
    for (const a of core) for (const b of core) if (a < b) world.network.reset(a, b);
}
