// Disks that are lost while a cluster forms (2.8, F15), in worlds of their own: what has formed wrongly, or never will,
// an operator throws away as a whole. Not all seeds have them, and those that do have several, for each is short.
import { Random } from "../base/random.js";
import type { Host } from "./host.js";
import { World, type WorldOptions } from "./world.js";

const EVERY = 8;
const WORLDS = 6;
/** All must meet: of few replicas that is more often at the same moment as something else. */
const REPLICAS = 3;
const MOST_CHANGES = 6;
/** Within it they meet, and a genesis is on its way, or being written. */
const CHANGES_MS = 100;
const SETTLED_MS = 700;

export async function formInVain(world: World): Promise<void> {
  const { seed } = world.options;
  if (seed % EVERY !== 5) return;
  for (let i = 0; i < WORLDS && world.violation === null; i += 1) {
    const random = new Random(seed + (i + 1) * 2 ** 34);
    world.absorb(
      await formedInVain({ ...world.options, seed: random.below(2 ** 32), replicas: REPLICAS }, random),
    );
  }
}

async function formedInVain(options: WorldOptions, random: Random): Promise<World> {
  const world = new World(options);
  for (const host of world.hosts.values()) host.start();
  // Where all disks are lost nobody can know that there was a cluster.
  const kept = world.host(world.ids[random.below(world.ids.length)]!);
  let at = 0;
  for (let changes = 1 + random.below(MOST_CHANGES); changes > 0; changes -= 1) {
    at += (random.next() * CHANGES_MS) / MOST_CHANGES;
    await world.run(at);
    change(world, random, kept);
  }
  for (const host of world.hosts.values()) if (!host.isUp) host.start();
  await world.run(at + SETTLED_MS);
  world.checkAll();
  return world;
}

function change(world: World, random: Random, kept: Host): void {
  const host = world.host(world.ids[random.below(world.ids.length)]!);
  const kind = random.below(4);
  if (kind === 0) host.kill();
  if (kind >= 2 && host !== kept) wipe(world, host);
  // Along with one that is new, at times.
  if (kind === 1 || kind === 3) for (const other of world.hosts.values()) if (!other.isUp) other.start();
}

function wipe(world: World, host: Host): void {
  const hasJoined = host.isLost || world.ghost.joined.has(host.id);
  world.reach(hasJoined ? "wiped after it joined" : "wiped before it joined");
  host.wipe();
  // Nobody counts on its old disk, or those who do will say so.
  host.isLost = hasJoined;
}
